import type { AttestationKind, AttestationKinds } from '../attestation/attestation-kind.ts'
import type { Challenge, Claim } from '../attestation/attestation.ts'
import { isJsonObject, toAsciiJson, type Json, type JsonObject } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Operation, OperationResult, Registration, Substatus } from '../model/registration.ts'
import { jsonFault, kindOf, parseJson } from '../base/json.ts'
import { quoted } from '../base/printable.ts'

/** What a register body may say. [device-wire §1.4] */
export interface RegisterBody {
  readonly registrationId?: string | undefined
  readonly payload?: Json | undefined
  /** What the device says in the words of a kind of attestation. */
  readonly claim?: Claim | undefined
}

/** Read a register body: nothing and blanks say nothing, unknown members are ignored, null is absent. [device-wire §1.4] */
export function readRegisterBody(bytes: Buffer, kinds: ClaimKinds): RegisterBody {
  const text = bytes.toString('utf8').trim()
  if (text === '') return {}
  const body = parseJson(text)
  if (body === undefined) throw new Refusal('BodyMalformed', `the register body ${jsonFaultIn(text)}`)
  if (!isJsonObject(body)) throw new Refusal('BodyMalformed', `the register body is ${kindOf(body)}, not a JSON object`)
  const { registrationId, payload } = body
  return {
    registrationId: optionalText(registrationId, 'registrationId'),
    payload: payload ?? undefined,
    claim: readClaim(body, kinds),
  }
}

/** The kinds that are offered, as far as devices speak of them. */
export type ClaimKinds = Readonly<Record<string, Pick<AttestationKind, 'type' | 'claim'>>>

function readClaim(body: JsonObject, kinds: ClaimKinds): Claim | undefined {
  for (const { type, claim } of Object.values(kinds)) {
    const member = body[type]
    if (!claim || member === undefined || member === null) continue
    if (isJsonObject(member)) return claim.read(member)
    throw new Refusal('BodyMalformed', `the ${type} in the register body is ${kindOf(member)}, not an object`)
  }
  return undefined
}

/** For whom a registration is written. */
export interface Addressee {
  /** As this device spells it now. [device-wire §11.15] */
  readonly registrationId: string
  readonly apiVersion: string
  /** The kinds of attestation that are offered. */
  readonly kinds: AttestationKinds
}

/** A RegistrationOperationStatus in ASCII, without nulls. [device-wire §1.5] */
export function operationJson({ id, status, result }: Operation, addressee: Addressee): string {
  return toAsciiJson({
    operationId: id,
    status,
    registrationState: result && registrationState(result, addressee),
  })
}

/** A bare DeviceRegistrationResult, as the lookup answers it. [device-wire §2.1] */
export function registrationJson(registration: Registration, addressee: Addressee): string {
  return toAsciiJson(registrationState({ registration }, addressee))
}

/** What a TPM device is told before it has proven itself; never a `status`. [device-wire §5.2] */
export function challengeJson({ authenticationKey, keyName }: Challenge): string {
  return toAsciiJson({
    message: 'Authorization required, resend request using supplied key',
    authenticationKey,
    unencryptedAuthenticationKey: null, // the only null that the SDKs know
    keyName,
  })
}

function registrationState({ registration, authenticationKey }: OperationResult, addressee: Addressee): JsonObject {
  const { status, assignment, failure, payload, createdDateTimeUtc, lastUpdatedDateTimeUtc, etag } = registration
  const assigned = status === 'assigned' ? assignment : undefined
  return {
    ...attestationState(registration, authenticationKey, addressee.kinds),
    registrationId: addressee.registrationId,
    createdDateTimeUtc: status === 'disabled' ? undefined : createdDateTimeUtc,
    assignedHub: assigned?.assignedHub,
    deviceId: assigned?.deviceId,
    status,
    substatus: assigned && substatusFor(assigned.substatus, addressee.apiVersion),
    ...(status === 'failed' ? failure : {}),
    lastUpdatedDateTimeUtc,
    etag,
    payload: isJsonObject(payload) && assigned ? payload : undefined,
  }
}

/** What the kind tells its devices, in the member named like it. */
function attestationState(
  { attestationType, enrollmentGroupId }: Registration,
  authenticationKey: string | undefined,
  kinds: AttestationKinds,
): JsonObject {
  const state = kinds[attestationType]?.state({ enrollmentGroupId, authenticationKey })
  return state === undefined ? {} : { [attestationType]: state }
}

/** `reprovisionedToInitialAssignment` is shown since 2019-04-15; before, it was called `initialAssignment`. [service-wire §10.4] */
function substatusFor(substatus: Substatus, apiVersion: string): Substatus {
  return substatus === 'reprovisionedToInitialAssignment' && apiVersion < '2019-04-15' ? 'initialAssignment' : substatus
}

function optionalText(value: Json | undefined, member: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  throw new Refusal('BodyMalformed', `the ${member} in the register body is ${kindOf(value)}, not text`)
}

/** Where a text stops being JSON, as far as the engine tells, with a little of what stands there. */
function jsonFaultIn(text: string): string {
  const fault = jsonFault(text)
  return fault === 'is not JSON' ? `${fault}: ${placeOfFault(text)}` : fault
}

function placeOfFault(text: string): string {
  try {
    JSON.parse(text)
  } catch (error) {
    const said = String(error)
    const [, position] = /at position (\d+)/.exec(said) ?? []
    if (position !== undefined) {
      return `${quoted(text.slice(Number(position), Number(position) + 24))} at character ${position}`
    }
    const [, token] = /Unexpected token '(.+?)', /su.exec(said) ?? []
    if (token !== undefined) return `an unexpected ${quoted(token)}`
  }
  return 'it ends too early'
}
