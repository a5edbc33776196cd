import { members, type Members } from '../../model/members.ts'
import { shownUrl } from '../../base/shown-url.ts'
import { deleteRevocationList, importRevocationList, isNamed } from '../../instances/revocation-lists.ts'
import type { FetchList } from '../../instances/revocation-lists/refresh.ts'
import { revoke } from '../../instances/revoke.ts'
import type { IotHub } from '../../hub/iot-hub.ts'
import { isRegistrationId, type IdScope } from '../../model/identifiers.ts'
import { isJsonObject, type JsonObject } from '../../base/json.ts'
import { Refusal } from '../../model/refusal.ts'
import type { ListedRevocation, Revocation, RevocationList, RevokedSubject } from '../../model/revocation.ts'
import type { LinkedHub } from '../../model/service.ts'
import type { Clock } from '../../base/time.ts'
import type { Store } from '../../store/store.ts'
import { instancePath, serviceOf, type Call, type Route } from './route.ts'

export interface RevocationParts {
  readonly store: Store
  readonly clock: Clock
  readonly hubs: (link: LinkedHub) => IotHub
  readonly fetchList: FetchList
}

const page = 500
const longestReason = 400
const longestUrl = 2048
/** How the place of a list's entry begins in `after`; keys of the deny list begin otherwise. */
const listedPlace = 'listed:'

/** Devices that may never register again, by hand and by certificate revocation lists. */
export function revocationRoutes(parts: RevocationParts): readonly Route[] {
  const { store, hubs, fetchList } = parts
  const owner = (call: Call) => ({ ...parts, idScope: serviceOf(call).idScope })
  const listOf = async (call: Call): Promise<RevocationList> => {
    const lists = await store.revocationLists.all(serviceOf(call).idScope)
    const list = lists.find((one) => isNamed(one, call.parameters['list'] ?? ''))
    if (!list) throw new Refusal('ResourceAbsent', `the instance has no revocation list ${call.parameters['list']}`)
    return list
  }
  const lists = `${instancePath}/revocationlists`
  return [
    {
      method: 'POST',
      path: `${instancePath}/revoke`,
      operationName: 'Revoke',
      permission: 'write',
      run: async (call) => {
        const body = bodyOf(call)
        const { revocations, cut } = await revoke(readSubjects(body), readReason(body), owner(call), hubs)
        const json = { revocations: revocations.map(revocationJson), devices: cut.map((one) => ({ ...one })) }
        return { json, change: { after: json } }
      },
    },
    {
      method: 'GET',
      path: `${instancePath}/revocations`,
      operationName: 'ListRevocations',
      permission: 'read',
      run: async (call) => {
        const after = call.request.query.get('after') ?? ''
        return { json: await revocationPage(after, serviceOf(call).idScope, store) }
      },
    },
    {
      method: 'DELETE',
      path: `${instancePath}/revocations/:key`,
      operationName: 'DeleteRevocation',
      permission: 'write',
      run: async (call) => {
        const { idScope } = serviceOf(call)
        const revocation = await store.revocations.get(idScope, call.parameters['key'] ?? '')
        if (!revocation) throw await notRevoked(call.parameters['key'] ?? '', idScope, store)
        await store.transact((write) => write.revocations.delete(idScope, revocation.key))
        return { change: { before: revocationJson(revocation) } }
      },
    },
    {
      method: 'GET',
      path: lists,
      operationName: 'ListRevocationLists',
      permission: 'read',
      run: async (call) => ({
        json: { value: (await store.revocationLists.all(serviceOf(call).idScope)).map(listJson) },
      }),
    },
    {
      method: 'PUT',
      path: `${lists}/:list`,
      operationName: 'ImportRevocationList',
      permission: 'write',
      run: async (call) => {
        const body = bodyOf(call)
        const name = call.parameters['list'] ?? ''
        if (!/^[\w.-]{1,64}$/.test(name))
          throw body.refusal('name', 'must be 1 to 64 letters, digits, dots and hyphens')
        const text = body.text('revocationList')
        const url = await unmasked(body.text('url'), name, serviceOf(call).idScope, store)
        if ((text === undefined) === (url === undefined)) throw body.refusal('', 'must say revocationList or url')
        if (url !== undefined) demandPlainUrl(url, body)
        const bytes = url === undefined ? Buffer.from(text ?? '') : await fetchList(url)
        const list = await importRevocationList(name, bytes, url, owner(call))
        return { json: listJson(list), change: { after: listJson(list) } }
      },
    },
    {
      method: 'DELETE',
      path: `${lists}/:list`,
      operationName: 'DeleteRevocationList',
      permission: 'write',
      run: async (call) => {
        const list = await listOf(call)
        await deleteRevocationList(list, owner(call))
        return { change: { before: listJson(list) } }
      },
    },
  ]
}

/** What was revoked by hand, in the order of keys, and then what lists revoke; from after this place on. */
async function revocationPage(after: string, idScope: IdScope, store: Store): Promise<JsonObject> {
  const value: JsonObject[] = []
  if (!after.startsWith(listedPlace)) {
    const byHand = await store.revocations.slice(idScope, { after, limit: page })
    value.push(...byHand.map(revocationJson))
    if (byHand.length === page) return { value, after: byHand.at(-1)!.key }
  }
  const [authority = '', serialNumber = '', list = ''] = after.startsWith(listedPlace)
    ? after.slice(listedPlace.length).split(':')
    : []
  const limit = page - value.length
  const listed = await store.listedRevocations.slice(idScope, { after: { authority, serialNumber, list }, limit })
  const last = listed.length === limit ? listed.at(-1) : undefined
  return {
    value: [...value, ...listed.map(listedJson)],
    ...(last && { after: `${listedPlace}${last.authority}:${last.serialNumber}:${last.list}` }),
  }
}

async function notRevoked(key: string, idScope: IdScope, store: Store): Promise<Refusal> {
  const [kind, authority = '', serialNumber = ''] = key.split(':')
  const [listed] = kind === 'serial' ? await store.listedRevocations.under(idScope, authority, serialNumber) : []
  if (!listed) return new Refusal('ResourceAbsent', 'nothing was revoked under this key')
  return new Refusal(
    'ResourceAbsent',
    `nothing was revoked under this key by hand; the list ${listed.list} revokes it until a later one of that name leaves it out`,
  )
}

/** The URL, or the one that is stored if this is how that is shown: what was read can be written back. */
async function unmasked(given: string | undefined, name: string, idScope: IdScope, store: Store) {
  const kept = (await store.revocationLists.all(idScope)).find((list) => isNamed(list, name))?.url
  return kept !== undefined && given === shownUrl(kept) ? kept : given
}

/** Credentials in a URL would be stored and shown. */
function demandPlainUrl(text: string, body: Members): void {
  const url = URL.parse(text)
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') throw body.refusal('url', 'must be an http or https URL')
  if (url.username !== '' || url.password !== '')
    throw body.refusal('url', 'must not have a user name or password in it')
  if (text.length > longestUrl) throw body.refusal('url', `must not be longer than ${longestUrl} characters`)
}

function bodyOf({ body }: Call): Members {
  if (isJsonObject(body)) return members(body)
  throw members({}).refusal('', 'must be a JSON object')
}

function readReason(body: Members): string {
  const reason = body.text('reason')?.trim()
  if (!reason || reason.length > longestReason) throw body.refusal('reason', `must be 1 to ${longestReason} characters`)
  return reason
}

function readSubjects(body: Members): readonly RevokedSubject[] {
  const registrationId = body.text('registrationId')
  const thumbprint = body.text('thumbprint')
  const serialNumber = body.text('serialNumber')
  const endorsementKey = body.text('endorsementKey')
  if (registrationId !== undefined && !isRegistrationId(registrationId)) {
    throw body.refusal('registrationId', 'is no registration ID')
  }
  if (thumbprint !== undefined && !/^(?:(?:[0-9a-f]{2}[\s:]?){20}|(?:[0-9a-f]{2}[\s:]?){32})$/i.test(thumbprint)) {
    throw body.refusal('thumbprint', 'must be the SHA-1 or SHA-256 of a certificate in hex')
  }
  if (serialNumber !== undefined && !/^[0-9a-f:\s]{1,64}$/i.test(serialNumber)) {
    throw body.refusal('serialNumber', 'must be hex')
  }
  if (endorsementKey !== undefined && !/^[A-Za-z0-9+/]{16,2000}={0,2}$/.test(endorsementKey)) {
    throw body.refusal('endorsementKey', 'must be base64')
  }
  const subjects: RevokedSubject[] = [
    ...(registrationId === undefined ? [] : [{ registrationId }]),
    ...(thumbprint === undefined ? [] : [{ thumbprint }]),
    ...(serialNumber === undefined ? [] : [{ serialNumber }]),
    ...(endorsementKey === undefined ? [] : [{ endorsementKey }]),
  ]
  if (subjects.length > 0) return subjects
  throw body.refusal('', 'must name a registrationId, thumbprint, serialNumber or endorsementKey')
}

function revocationJson({ subject, ...revocation }: Revocation): JsonObject {
  return { ...revocation, subject: { ...subject } }
}

function listedJson({ authority, serialNumber, list, reason, createdDateTimeUtc }: ListedRevocation): JsonObject {
  return {
    key: `serial:${authority}:${serialNumber}`,
    reason,
    source: `crl:${list}`,
    createdDateTimeUtc,
    subject: { serialNumber, issuer: authority },
  }
}

function listJson({ scope, authorities, url, ...list }: RevocationList): JsonObject {
  return {
    ...list,
    ...(authorities && { authorities: [...authorities] }),
    ...(scope && { scope: { ...scope, ...(scope.reasons && { reasons: [...scope.reasons] }) } }),
    ...(url !== undefined && { url: shownUrl(url) }),
  }
}
