import { createHash } from 'node:crypto'
import type { Credential, Presented } from '../attestation/attestation.ts'
import { unproven } from '../attestation/unproven.ts'
import type { Protocol, Trail } from '../model/decision.ts'
import { isRegistrationId, registrationKey } from '../model/identifiers.ts'
import { admitsAddress } from '../model/ip-filter.ts'
import type { Json } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Reader } from '../store/store.ts'
import type { Standing } from '../base/peer.ts'
import { quoted } from '../base/printable.ts'

/** What a transport has read of a device's request; nothing of it has been checked. */
export interface DeviceRequest {
  readonly idScope: string
  readonly registrationId: string
  readonly apiVersion: string | undefined
  readonly credential: Credential
  /** The ID that the body repeats, where it does. */
  readonly bodyRegistrationId?: string | undefined
  readonly payload?: Json | undefined
  readonly protocol: Protocol
  /** The SDK as it names itself. */
  readonly userAgent: string
  readonly remoteAddress: string
  readonly trackingId: string
  /** Of the connection that it came on; absent: nobody wants to know. */
  readonly standing?: Standing | undefined
}

const apiVersionShape = /^\d{4}-\d{2}-\d{2}(-preview)?$/

/** Find the instance that a device asks for, and check that what it sent is well formed. [device-wire §1.2, §1.3] */
export async function admit(request: DeviceRequest, store: Reader, trail: Trail): Promise<Presented> {
  const { idScope, registrationId, bodyRegistrationId, apiVersion, credential } = request
  // Any date is taken: a future SDK must not break on a version we have not heard of. [device-wire §11.24]
  if (apiVersion === undefined || !apiVersionShape.test(apiVersion)) {
    throw new Refusal(
      'ApiVersionMissing',
      `expected api-version as YYYY-MM-DD, found ${apiVersion === undefined ? 'none' : quoted(apiVersion, 100)}`,
    )
  }
  if (!isRegistrationId(registrationId)) {
    throw new Refusal('RegistrationIdInvalid', `${quoted(registrationId)} is not a registration ID`)
  }
  if (bodyRegistrationId !== undefined && registrationKey(bodyRegistrationId) !== registrationKey(registrationId)) {
    throw new Refusal(
      'RegistrationIdMismatch',
      `the request is for ${registrationId}, its body for ${quoted(bodyRegistrationId)}`,
    )
  }
  const service = await store.services.byIdScope(idScope)
  if (!service) {
    const name = createHash('sha256').update(idScope).digest('hex').slice(0, 12)
    const shown = idScopeShape.test(idScope) ? idScope : `of no valid form (sha256 ${name}…)`
    throw unproven(new Refusal('IdScopeUnknown', `no provisioning service has the ID scope ${shown}`), credential)
  }
  if (!admitsAddress(service, request.remoteAddress, 'deviceApi')) {
    throw new Refusal('AddressNotAllowed', `${request.remoteAddress} is rejected by a rule of ${service.name}`)
  }
  const { payload, protocol, trackingId, remoteAddress } = request
  return {
    service,
    registrationId,
    credential,
    apiVersion,
    protocol,
    payload,
    trackingId,
    remoteAddress,
    trail,
  } as Presented
}

const idScopeShape = /^[0-9A-Za-z]{1,64}$/
