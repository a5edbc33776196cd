import { members, type Members } from '../../enrollment/members.ts'
import { deleteRevocationList, importRevocationList, type FetchList } from '../../enrollment/revocation-list.ts'
import { revoke } from '../../enrollment/revoke.ts'
import type { IotHub } from '../../hub/iot-hub.ts'
import { isRegistrationId } from '../../model/identifiers.ts'
import { isJsonObject, type JsonObject } from '../../model/json.ts'
import { Refusal } from '../../model/refusal.ts'
import type { Revocation, RevocationList, RevokedSubject } from '../../model/revocation.ts'
import type { LinkedHub } from '../../model/service.ts'
import type { Clock } from '../../model/timestamp.ts'
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

/** Devices that may never register again, by hand and by certificate revocation lists. */
export function revocationRoutes(parts: RevocationParts): readonly Route[] {
  const { store, hubs, fetchList } = parts
  const owner = (call: Call) => ({ ...parts, idScope: serviceOf(call).idScope })
  const listOf = async (call: Call): Promise<RevocationList> => {
    const name = call.parameters['list']?.toLowerCase()
    const lists = await store.revocationLists.all(serviceOf(call).idScope)
    const list = lists.find((one) => one.name.toLowerCase() === name)
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
        const found = await store.revocations.slice(serviceOf(call).idScope, { after, limit: page })
        const next = found.length === page ? found.at(-1)?.key : undefined
        return { json: { value: found.map(revocationJson), ...(next !== undefined && { after: next }) } }
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
        if (!revocation) throw new Refusal('ResourceAbsent', 'nothing was revoked under this key')
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
        json: { value: (await store.revocationLists.all(serviceOf(call).idScope)).map((list) => ({ ...list })) },
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
        const url = body.text('url')
        if ((text === undefined) === (url === undefined)) throw body.refusal('', 'must say revocationList or url')
        const bytes = url === undefined ? Buffer.from(text ?? '') : await fetchList(url)
        const list = await importRevocationList(name, bytes, url, owner(call))
        return { json: { ...list }, change: { after: { ...list } } }
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
        return { change: { before: { ...list } } }
      },
    },
  ]
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
