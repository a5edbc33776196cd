import { bodyOf } from './answer.ts'
import type { HttpRequest, HttpResponse } from '../../wire/http.ts'
import { ifMatch } from '../etag.ts'
import type { Hub } from '../hub.ts'
import { asRefusal, HubRefusal } from '../hub-refusal.ts'
import { clientOf } from '../identity.ts'
import { identityName, identityRequest } from '../identity-request.ts'
import { isJsonObject, type Json, type JsonObject, parseJson } from '../../base/json.ts'
import { type Address, createIdentity, deleteIdentity, updateIdentity } from '../registry.ts'
import { patchTwin } from '../twin-changes.ts'
import { twinChange } from '../twin-request.ts'

const mostItems = 100

/** POST /devices: each item on its own, all in one commit; 400 with the same body if one failed. [service-wire §12.2] */
export async function bulk(hub: Hub, request: HttpRequest): Promise<HttpResponse> {
  const items = parseJson((await bodyOf(request)).toString('utf8'))
  if (!isList(items) || items.length === 0 || items.length > mostItems) {
    throw new HubRefusal('ArgumentInvalid', `the body is not a list of 1 to ${mostItems} devices`)
  }
  const seen = new Set<string>()
  const results = await Promise.all(items.map((item) => attempt(hub, item, seen)))
  const errors = results.filter((result) => result !== undefined)
  return {
    status: errors.length === 0 ? 200 : 400,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      ...(errors.length === 0 ? {} : { 'iothub-errorcode': 'BulkRegistryOperationFailure' }),
    },
    body: JSON.stringify({ isSuccessful: errors.length === 0, errors, warnings: [] }),
  }
}

async function attempt(hub: Hub, item: Json, seen: Set<string>): Promise<JsonObject | undefined> {
  const object = isJsonObject(item) ? item : {}
  try {
    const address = addressOf(object)
    if (seen.has(clientOf(address))) throw new HubRefusal('ArgumentInvalid', 'the list names it twice')
    seen.add(clientOf(address))
    await perform(hub, address, object)
    return undefined
  } catch (thrown) {
    const error = asRefusal(thrown)
    if (!(error instanceof HubRefusal)) throw error
    return {
      deviceId: typeof object['id'] === 'string' ? object['id'] : '',
      moduleId: typeof object['moduleId'] === 'string' ? object['moduleId'] : undefined,
      errorCode: error.refusal,
      errorStatus: error.message,
    }
  }
}

async function perform(hub: Hub, address: Address, item: JsonObject): Promise<void> {
  const etag = (value: Json | undefined): string => ifMatch(typeof value === 'string' ? value : undefined) ?? ''
  const importMode = item['importMode'] ?? 'create'
  switch (typeof importMode === 'string' ? importMode.toLowerCase() : importMode) {
    case 'create':
      await createIdentity(hub, address, identityRequest(item), twinChange(item))
      return
    case 'update':
      await updateIdentity(hub, address, identityRequest(item), '*')
      return
    case 'updateifmatchetag':
      await updateIdentity(hub, address, identityRequest(item), etag(item['eTag'] ?? item['etag']))
      return
    case 'delete':
      return deleteIdentity(hub, address, '*')
    case 'deleteifmatchetag':
      return deleteIdentity(hub, address, etag(item['eTag'] ?? item['etag']))
    case 'updatetwin':
      await patchTwin(hub, address, twinChange(item), '*')
      return
    case 'updatetwinifmatchetag':
      await patchTwin(hub, address, twinChange(item), etag(item['twinETag'] ?? item['twinEtag']))
      return
    default:
      throw new HubRefusal('ArgumentInvalid', 'importMode is not one that IoT Hub knows')
  }
}

function addressOf({ id, deviceId, moduleId }: JsonObject): Address {
  return {
    deviceId: identityName(id ?? deviceId, 'deviceId'),
    moduleId: moduleId === undefined || moduleId === null ? '' : identityName(moduleId, 'moduleId'),
  }
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}
