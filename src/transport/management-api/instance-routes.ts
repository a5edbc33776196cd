import type { JsonObject } from '../../base/json.ts'
import { visibleInstances } from './visible-instances.ts'
import { quoted } from '../../base/printable.ts'
import { instanceJson, resourceOf } from '../../instances/instance-resource.ts'
import { deleteInstance, putInstance, retagInstance, type Administration } from '../../instances/instances.ts'
import { nameAvailability } from '../../instances/names.ts'
import { members } from '../../model/members.ts'
import { Refusal } from '../../model/refusal.ts'
import type { ProvisioningService } from '../../model/service.ts'
import { preconditionOf } from '../../wire/precondition.ts'
import { may } from '../../access/principal.ts'
import {
  instancePath,
  objectIn,
  placeOf,
  serviceOf,
  type ManagementAnswer,
  type ManagementCall,
  type ManagementRoute,
} from './route.ts'

/** Instances: create, get, list, update, delete. Everything is done when it is answered. [service-wire §8.2] */
export function instanceRoutes(parts: Administration): readonly ManagementRoute[] {
  const { store, deviceHost } = parts
  const shown = async (service: ProvisioningService) =>
    instanceJson(service, await store.linkedHubs.all(service.idScope), deviceHost)

  const list = async ({ principal, parameters }: ManagementCall): Promise<ManagementAnswer> => {
    const visible = await visibleInstances(store, principal, parameters)
    return { json: { value: await Promise.all(visible.map(shown)) } }
  }

  const put = async (call: ManagementCall): Promise<ManagementAnswer> => {
    const { service, before, policies } = await putInstance(
      {
        place: placeOf(call),
        body: call.body,
        precondition: preconditionOf(call.request),
        demandHostNames: (instance) => demandHostNames(call, instance),
      },
      parts,
    )
    const after = await shown(service)
    return {
      status: before ? 200 : 201,
      json: after,
      change: {
        ...(before && { before: instanceJson(before.service, before.hubs, deviceHost) }),
        after: { ...after, policies: policies?.map(({ keyName, rights }) => ({ keyName, rights: [...rights] })) },
      },
    }
  }

  return [
    {
      method: 'GET',
      path: instancePath,
      operationName: 'GetInstance',
      permission: 'read',
      run: async (call) => ({ json: await shown(serviceOf(call)) }),
    },
    {
      method: 'GET',
      path: '/subscriptions/:subscription/providers/microsoft.devices/provisioningservices',
      operationName: 'ListInstances',
      permission: 'any',
      run: list,
    },
    {
      method: 'GET',
      path: instancePath.replace('/:instance', ''),
      operationName: 'ListInstances',
      permission: 'any',
      run: list,
    },
    {
      method: 'PUT',
      path: instancePath,
      operationName: 'CreateOrUpdateInstance',
      permission: 'write',
      absentInstance: true,
      run: put,
    },
    {
      method: 'PATCH',
      path: instancePath,
      operationName: 'UpdateTags',
      permission: 'write',
      run: async (call) => {
        const { before, after } = await retagInstance(placeOf(call), call.body, parts)
        return {
          json: await shown(after),
          change: { before: { tags: resourceOf(before).tags }, after: { tags: resourceOf(after).tags } },
        }
      },
    },
    {
      method: 'DELETE',
      path: instancePath,
      operationName: 'DeleteInstance',
      permission: 'write',
      absentInstance: true,
      run: async (call) => {
        const deleted = await deleteInstance(placeOf(call), preconditionOf(call.request), parts)
        // What is gone already is as good as deleted. [service-wire §8.2]
        if (!deleted) return {}
        return { status: 200, json: {}, change: { before: { name: deleted.name, idScope: deleted.idScope } } }
      },
    },
    {
      method: 'POST',
      path: '/subscriptions/:subscription/providers/microsoft.devices/checkprovisioningservicenameavailability',
      operationName: 'CheckNameAvailability',
      permission: 'any',
      run: async (call) => ({ json: await availability(call, parts) }),
    },
  ]
}

/** Host names stand in the certificate of all instances, so a role at one of them is not enough to choose them. */
function demandHostNames({ principal }: ManagementCall, instance: string): void {
  if (principal && may(principal, 'write', '*')) return
  throw new Refusal('ManagementRoleMissing', `${principal?.id} may not choose the host names of ${instance}`)
}

/** For whoever may make an instance of that name: others would learn which names there are. */
async function availability(call: ManagementCall, { store }: Administration): Promise<JsonObject> {
  const { principal } = call
  const name = members(objectIn(call)).text('name') ?? ''
  if (!principal || !may(principal, 'write', name)) {
    throw new Refusal('ManagementRoleMissing', `${principal?.id} may not create ${quoted(name, 50)}`)
  }
  return { ...(await nameAvailability(name, store)) }
}
