import { header, type HttpRequest, type HttpResponse } from '../../wire/http.ts'
import { ifMatch } from '../etag.ts'
import type { Hub } from '../hub.ts'
import { HubRefusal } from '../hub-refusal.ts'
import { type Identity, identityJson } from '../identity.ts'
import { identityName, identityRequest } from '../identity-request.ts'
import { listDevices, modulesOf } from '../identity-table.ts'
import { type Address, createIdentity, deleteIdentity, existing, updateIdentity } from '../registry.ts'
import { presenceOf } from '../presence.ts'
import { bodyObject, bounded, noContent, ok, tagged } from './answer.ts'

const mostDevices = 1000

/** GET /devices/{id}[/modules/{m}] */
export function getOne(hub: Hub, address: Address): HttpResponse {
  return answer(hub, existing(hub, address))
}

/** PUT /devices/{id}[/modules/{m}]: creates without If-Match, updates with it. [service-wire §13.4] */
export async function putOne(hub: Hub, address: Address, request: HttpRequest): Promise<HttpResponse> {
  identityName(address.deviceId, 'deviceId')
  if (address.moduleId !== '') identityName(address.moduleId, 'moduleId')
  const body = await bodyObject(request)
  if (body['deviceId'] !== undefined && body['deviceId'] !== address.deviceId) {
    throw new HubRefusal('ArgumentInvalid', 'deviceId is not the one in the path')
  }
  const wanted = identityRequest(body)
  const match = ifMatch(header(request, 'if-match'))
  const identity =
    match === undefined ? await createIdentity(hub, address, wanted) : await updateIdentity(hub, address, wanted, match)
  return answer(hub, identity)
}

/** DELETE /devices/{id}[/modules/{m}]; without If-Match whatever is there. */
export async function deleteOne(hub: Hub, address: Address, request: HttpRequest): Promise<HttpResponse> {
  await deleteIdentity(hub, address, ifMatch(header(request, 'if-match')) ?? '*')
  return noContent
}

/** GET /devices?top=n */
export function listAll(hub: Hub, request: HttpRequest): HttpResponse {
  const top = bounded(request.query.get('top'), 'top', mostDevices, mostDevices)
  const devices = listDevices(hub.database, hub.name, '', top)
  return ok(devices.map(({ identity }) => identityJson(identity, presenceOf(hub, identity))))
}

/** GET /devices/{id}/modules */
export function listModules(hub: Hub, deviceId: string): HttpResponse {
  existing(hub, { deviceId, moduleId: '' })
  const modules = modulesOf(hub.database, hub.name, deviceId)
  return ok(modules.map((module) => identityJson(module, presenceOf(hub, module))))
}

function answer(hub: Hub, identity: Identity): HttpResponse {
  return tagged(identityJson(identity, presenceOf(hub, identity)), identity.etag)
}
