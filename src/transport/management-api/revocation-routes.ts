import { readTpmKey } from '../../attestation/tpm-claim.ts'
import type { JsonObject } from '../../base/json.ts'
import { shownUrl } from '../../base/shown-url.ts'
import type { Clock } from '../../base/time.ts'
import type { IotHub } from '../../hub/iot-hub.ts'
import { deleteRevocationList, putRevocationList } from '../../instances/revocation-lists.ts'
import type { FetchList } from '../../instances/revocation-lists/refresh.ts'
import { admitAgain, revocationPage } from '../../instances/revocations.ts'
import { revoke } from '../../instances/revoke.ts'
import { isRegistrationId } from '../../model/identifiers.ts'
import type { Members } from '../../model/members.ts'
import type {
  ListedRevocation,
  Revocation,
  RevocationList,
  RevocationScope,
  RevokedSubject,
} from '../../model/revocation.ts'
import type { LinkedHub } from '../../model/service.ts'
import type { Store } from '../../store/store.ts'
import { demandObject, instancePath, serviceOf, type ManagementCall, type ManagementRoute } from './route.ts'

export interface RevocationParts {
  readonly store: Store
  readonly clock: Clock
  readonly hubs: (link: LinkedHub) => IotHub
  readonly fetchList: FetchList
}

const longestReason = 400

/** Devices that may never register again, by hand and by certificate revocation lists. */
export function revocationRoutes(parts: RevocationParts): readonly ManagementRoute[] {
  const { store, hubs, fetchList } = parts
  const owner = (call: ManagementCall) => ({ ...parts, idScope: serviceOf(call).idScope })
  const lists = `${instancePath}/revocationlists`
  return [
    {
      method: 'POST',
      path: `${instancePath}/revoke`,
      operationName: 'Revoke',
      permission: 'write',
      run: async (call) => {
        const body = demandObject(call)
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
        const asked = call.request.query.get('after') ?? ''
        const { byHand, listed, after } = await revocationPage(asked, serviceOf(call).idScope, store)
        return { json: { value: [...byHand.map(revocationJson), ...listed.map(listedJson)], after } }
      },
    },
    {
      method: 'DELETE',
      path: `${instancePath}/revocations/:key`,
      operationName: 'DeleteRevocation',
      permission: 'write',
      run: async (call) => {
        const revocation = await admitAgain(call.parameters['key'] ?? '', serviceOf(call).idScope, store)
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
        const list = await putRevocationList(call.parameters['list'] ?? '', demandObject(call), owner(call), fetchList)
        return { json: listJson(list), change: { after: listJson(list) } }
      },
    },
    {
      method: 'DELETE',
      path: `${lists}/:list`,
      operationName: 'DeleteRevocationList',
      permission: 'write',
      run: async (call) => {
        const list = await deleteRevocationList(call.parameters['list'] ?? '', owner(call))
        return { change: { before: listJson(list) } }
      },
    },
  ]
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
  // As enrollments keep it, however it was printed.
  const endorsementKey = readTpmKey(body, 'endorsementKey')?.toString('base64')
  if (registrationId !== undefined && !isRegistrationId(registrationId)) {
    throw body.refusal('registrationId', 'is no registration ID')
  }
  if (thumbprint !== undefined && !/^(?:(?:[0-9a-f]{2}[\s:]?){20}|(?:[0-9a-f]{2}[\s:]?){32})$/i.test(thumbprint)) {
    throw body.refusal('thumbprint', 'must be the SHA-1 or SHA-256 of a certificate in hex')
  }
  if (serialNumber !== undefined && !/^[0-9a-f:\s]{1,64}$/i.test(serialNumber)) {
    throw body.refusal('serialNumber', 'must be hex')
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

/** Without what is only there to be compared. */
function listJson({ scope, authorities, url, ...whole }: RevocationList): JsonObject {
  const { issuerName: _, ...list } = whole
  return {
    ...list,
    ...(authorities && { authorities: [...authorities] }),
    ...(scope && { scope: scopeJson(scope) }),
    ...(url !== undefined && { url: shownUrl(url) }),
  }
}

function scopeJson({ reasons, ...whole }: RevocationScope): JsonObject {
  const { points: _, ...scope } = whole
  return { ...scope, ...(reasons && { reasons: [...reasons] }) }
}
