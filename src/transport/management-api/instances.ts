import { members } from '../../model/members.ts'
import { holds, readIfMatch } from '../../wire/precondition.ts'
import { newEtag, newIdScope } from '../../model/identifiers.ts'
import { isJsonObject, type JsonObject } from '../../base/json.ts'
import { Refusal } from '../../model/refusal.ts'
import type { Limits } from '../../model/limits.ts'
import type { LinkedHub, ProvisioningService, SharedAccessPolicy } from '../../model/service.ts'
import { timestamp, type Clock } from '../../base/time.ts'
import { Conflict, type Store, type Writer } from '../../store/store.ts'
import { header } from '../../wire/http.ts'
import { defaultResource, findInstance, instanceJson, resourceOf } from '../../instances/instance-resource.ts'
import { readLinkedHubs } from '../../instances/linked-hubs.ts'
import { ownerPolicy, readPolicies } from './policies.ts'
import { may } from '../../access/principal.ts'
import { readInstance, readTags } from '../../instances/read-instance.ts'
import { instancePath, serviceOf, type Answer, type Call, type Route } from './route.ts'
import { quoted } from '../../base/printable.ts'

/** How much of a kind an instance may have. [service-wire §14.1] */
export type InstanceLimits = (service: ProvisioningService) => Pick<Limits, 'linkedHubs' | 'caCertificates'>

export interface InstanceParts {
  readonly store: Store
  readonly clock: Clock
  /** The name that the devices of every instance reach the service by. */
  readonly deviceHost: string
  /** The host name for the service operations endpoint of an instance that is created without one. */
  readonly hostNameFor: (instance: string) => string
  readonly limits: InstanceLimits
  /** Told when the host names that the server certificate has to be good for may have changed. */
  readonly onHostNames: () => Promise<void>
}

/** 3 to 50 letters, digits and hyphens; not digits only, no hyphen first or last. [service-wire §8.1] */
const nameShape = /^(?!\d+$)(?=.{3,50}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])$/
/** How often a new ID scope may turn out to have been given out before. */
const attempts = 5

/** Instances: create, get, list, update, delete. Everything is done when it is answered. [service-wire §8.2] */
export function instanceRoutes(parts: InstanceParts): readonly Route[] {
  const { store } = parts
  const inTurn = oneAtATime()
  const list = async ({ principal, parameters }: Call): Promise<Answer> => {
    const { subscription, group } = parameters
    const visible = (await store.services.all()).filter((service) => {
      const { subscriptionId, resourceGroup } = resourceOf(service)
      return (
        principal &&
        may(principal, 'read', service.name) &&
        subscriptionId.toLowerCase() === subscription?.toLowerCase() &&
        (group === undefined || resourceGroup.toLowerCase() === group.toLowerCase())
      )
    })
    return { json: { value: await Promise.all(visible.map((service) => shown(service, parts))) } }
  }
  return [
    {
      method: 'GET',
      path: instancePath,
      operationName: 'GetInstance',
      permission: 'read',
      run: async (call) => ({ json: await shown(serviceOf(call), parts) }),
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
      run: (call) => inTurn(call.parameters['instance'], () => createOrUpdate(call, parts)),
    },
    {
      method: 'PATCH',
      path: instancePath,
      operationName: 'UpdateTags',
      permission: 'write',
      run: (call) => inTurn(call.parameters['instance'], () => tag(call, parts)),
    },
    {
      method: 'DELETE',
      path: instancePath,
      operationName: 'DeleteInstance',
      permission: 'write',
      absentInstance: true,
      run: (call) => remove(call, parts),
    },
    {
      method: 'POST',
      path: '/subscriptions/:subscription/providers/microsoft.devices/checkprovisioningservicenameavailability',
      operationName: 'CheckNameAvailability',
      permission: 'any',
      run: async (call) => ({ json: await availability(call, store) }),
    },
  ]
}

async function createOrUpdate(call: Call, parts: InstanceParts): Promise<Answer> {
  const { store } = parts
  // Read again: whoever had the turn before may have written.
  const stored = await findInstance(store, call.parameters)
  const name = call.parameters['instance'] ?? ''
  checkEtag(call, stored)
  if (!stored) await demandFreeName(name, store)
  const before = stored ?? newInstance(call, parts)
  const { settings, properties } = readInstance(call.body, { ...before, resource: resourceOf(before) })
  demandHostNames(call, before, settings.hostNames)
  const [hubsBefore, policiesBefore] = stored
    ? await Promise.all([store.linkedHubs.all(stored.idScope), store.policies.all(stored.idScope)])
    : [[], []]
  const most = parts.limits(before).linkedHubs
  const hubs = readLinkedHubs(properties, hubsBefore, settings.resource.location, most)
  const policies = readPolicies(properties, policiesBefore) ?? (stored ? undefined : [ownerPolicy()])
  const service = await written({ ...before, ...settings }, stored, store, (write, idScope) => {
    if (hubs) replaceHubs(write, idScope, hubsBefore, hubs)
    if (policies) replacePolicies(write, idScope, policiesBefore, policies)
  })
  await parts.onHostNames()
  const after = await shown(service, parts)
  return {
    status: stored ? 200 : 201,
    json: after,
    change: {
      ...(stored && { before: instanceJson(stored, hubsBefore, parts.deviceHost) }),
      after: { ...after, policies: policies?.map(({ keyName, rights }) => ({ keyName, rights: [...rights] })) },
    },
  }
}

/** Runs what is given for one key in its order, so that an etag that was checked still holds when the write is made. */
function oneAtATime(): <T>(key: string | undefined, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>()
  return (key = '', work) => {
    const name = key.toLowerCase()
    const before = last.get(name) ?? Promise.resolve()
    const mine = before.then(work, work)
    last.set(name, mine)
    const done = () => void (last.get(name) === mine && last.delete(name))
    mine.then(done, done)
    return mine
  }
}

async function tag(call: Call, parts: InstanceParts): Promise<Answer> {
  const stored = (await findInstance(parts.store, call.parameters)) ?? serviceOf(call)
  const tags = readTags(members(isJsonObject(call.body) ? call.body : {}))
  const resource = { ...resourceOf(stored), tags: tags ?? resourceOf(stored).tags, etag: newEtag() }
  const service = { ...stored, resource }
  await parts.store.transact((write) => write.services.replace(service))
  return {
    json: await shown(service, parts),
    change: { before: { tags: resourceOf(stored).tags }, after: { tags: resource.tags } },
  }
}

/** What is gone already is as good as deleted. [service-wire §8.2] */
async function remove(call: Call, parts: InstanceParts): Promise<Answer> {
  const { service } = call
  if (!service) return {}
  checkEtag(call, service)
  if (service.hostNames.includes(parts.deviceHost.toLowerCase())) {
    throw new Refusal('InstanceInUse', `${service.name} is the deployment's own, which every start looks for`)
  }
  await parts.store.transact((write) => write.services.delete(service.idScope))
  return { status: 200, json: {}, change: { before: { name: service.name, idScope: service.idScope } } }
}

/** Write a new instance under an ID scope that was never given out, or the changed one. */
async function written(
  service: ProvisioningService,
  stored: ProvisioningService | undefined,
  store: Store,
  more: (write: Writer, idScope: string) => void,
): Promise<ProvisioningService> {
  if (stored) {
    await demandFreeHostNames(service, store)
    await store.transact((write) => {
      write.services.replace(service)
      more(write, service.idScope)
    })
    return service
  }
  for (let attempt = 1; ; attempt++) {
    await demandFreeHostNames(service, store)
    const created = { ...service, idScope: newIdScope() }
    try {
      await store.transact((write) => {
        write.services.create(created)
        more(write, created.idScope)
      })
      return created
    } catch (error) {
      if (!(error instanceof Conflict) || attempt === attempts) throw error
    }
  }
}

/** Host names stand in the certificate of all instances, so a role at one of them is not enough to choose them. */
function demandHostNames(
  { principal }: Call,
  { name, hostNames }: ProvisioningService,
  wanted: readonly string[],
): void {
  const same = wanted.length === hostNames.length && wanted.every((hostName) => hostNames.includes(hostName))
  if (same || (principal && may(principal, 'write', '*'))) return
  throw new Refusal('ManagementRoleMissing', `${principal?.id} may not choose the host names of ${name}`)
}

async function demandFreeName(name: string, store: Store): Promise<void> {
  if (!nameShape.test(name)) throw members({}).refusal('name', invalidName)
  if (await isTaken(name, store)) throw new Refusal('InstanceExists', `${name} is in use`)
}

async function demandFreeHostNames({ hostNames, idScope }: ProvisioningService, store: Store): Promise<void> {
  for (const hostName of hostNames) {
    const holder = await store.services.byHostName(hostName)
    if (holder && holder.idScope !== idScope) throw new Refusal('InstanceExists', `the host name ${hostName} is in use`)
  }
}

function newInstance({ parameters }: Call, { clock, hostNameFor }: InstanceParts): ProvisioningService {
  const { subscription = '', group = '', instance = '' } = parameters
  return {
    idScope: '',
    name: instance,
    hostNames: [hostNameFor(instance).toLowerCase()],
    allocationPolicy: 'hashed',
    createdDateTimeUtc: timestamp(clock()),
    resource: { ...defaultResource, subscriptionId: subscription, resourceGroup: group },
  }
}

function replaceHubs(write: Writer, idScope: string, before: readonly LinkedHub[], hubs: readonly LinkedHub[]): void {
  const kept = new Set(hubs.map(({ hostName }) => hostName.toLowerCase()))
  for (const hub of before) if (!kept.has(hub.hostName.toLowerCase())) write.linkedHubs.delete(idScope, hub.hostName)
  for (const hub of hubs) write.linkedHubs.put(idScope, hub)
}

function replacePolicies(
  write: Writer,
  idScope: string,
  before: readonly SharedAccessPolicy[],
  policies: readonly SharedAccessPolicy[],
): void {
  const kept = new Set(policies.map(({ keyName }) => keyName.toLowerCase()))
  for (const { keyName } of before) if (!kept.has(keyName.toLowerCase())) write.policies.delete(idScope, keyName)
  for (const policy of policies) write.policies.put(idScope, policy)
}

function checkEtag({ request }: Call, stored: ProvisioningService | undefined): void {
  const precondition = readIfMatch(header(request, 'if-match'))
  const etag = stored && resourceOf(stored).etag
  if (holds(precondition, etag)) return
  const given = typeof precondition === 'object' ? quoted(precondition.etag) : '*'
  throw new Refusal('ResourceEtagMismatch', `If-Match is ${given}; the instance has ${etag ?? 'none'}`)
}

/** For whoever may make an instance of that name: others would learn which names there are. */
async function availability({ body, principal }: Call, store: Store): Promise<JsonObject> {
  const name = members(isJsonObject(body) ? body : {}).text('name') ?? ''
  if (!principal || !may(principal, 'write', name)) {
    throw new Refusal('ManagementRoleMissing', `${principal?.id} may not create ${quoted(name, 50)}`)
  }
  if (!nameShape.test(name)) return { nameAvailable: false, reason: 'Invalid', message: `The name ${invalidName}.` }
  if (!(await isTaken(name, store))) return { nameAvailable: true }
  return { nameAvailable: false, reason: 'AlreadyExists', message: 'The name is in use.' }
}

const invalidName = 'must be 3 to 50 letters, digits and hyphens, not digits only, without a hyphen first or last'

async function isTaken(name: string, store: Store): Promise<boolean> {
  return (await store.services.all()).some((service) => service.name.toLowerCase() === name.toLowerCase())
}

async function shown(service: ProvisioningService, { store, deviceHost }: InstanceParts): Promise<JsonObject> {
  return instanceJson(service, await store.linkedHubs.all(service.idScope), deviceHost)
}
