import type { Challenge } from '../attestation/attestation.ts'
import { isJsonObject, toAsciiJson, type Json, type JsonObject } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Operation, OperationResult, Registration, Substatus } from '../model/registration.ts'
import { jsonFault, parseJson } from '../base/json.ts'

/** What a register body may say. [device-wire §1.4] */
export interface RegisterBody {
  readonly registrationId?: string | undefined
  readonly payload?: Json | undefined
  readonly tpm?: { readonly endorsementKey: Buffer; readonly storageRootKey: Buffer } | undefined
}

/** Read a register body: nothing and blanks say nothing, unknown members are ignored, null is absent. [device-wire §1.4] */
export function readRegisterBody(bytes: Buffer): RegisterBody {
  const text = bytes.toString('utf8').trim()
  if (text === '') return {}
  const body = parseJson(text)
  if (body === undefined) throw new Refusal('BodyMalformed', `the register body ${jsonFault(text)}`)
  if (!isJsonObject(body)) throw new Refusal('BodyMalformed', 'the register body is not a JSON object')
  const { registrationId, payload, tpm } = body
  return {
    registrationId: optionalText(registrationId, 'registrationId'),
    payload: payload ?? undefined,
    tpm: isJsonObject(tpm)
      ? { endorsementKey: base64(tpm['endorsementKey']), storageRootKey: base64(tpm['storageRootKey']) }
      : undefined,
  }
}

/** For whom a registration is written. */
export interface Reader {
  /** As this device spells it now. [device-wire §11.15] */
  readonly registrationId: string
  readonly apiVersion: string
}

/** A RegistrationOperationStatus in ASCII, without nulls. [device-wire §1.5] */
export function operationJson({ id, status, result }: Operation, reader: Reader): string {
  return toAsciiJson({
    operationId: id,
    status,
    registrationState: result && registrationState(result, reader),
  })
}

/** A bare DeviceRegistrationResult, as the lookup answers it. [device-wire §2.1] */
export function registrationJson(registration: Registration, reader: Reader): string {
  return toAsciiJson(registrationState({ registration }, reader))
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

function registrationState({ registration, authenticationKey }: OperationResult, reader: Reader): JsonObject {
  const { status, assignment, failure, payload, createdDateTimeUtc, lastUpdatedDateTimeUtc, etag } = registration
  const assigned = status === 'assigned' ? assignment : undefined
  return {
    ...attestationState(registration, authenticationKey),
    registrationId: reader.registrationId,
    createdDateTimeUtc: status === 'disabled' ? undefined : createdDateTimeUtc,
    assignedHub: assigned?.assignedHub,
    deviceId: assigned?.deviceId,
    status,
    substatus: assigned && substatusFor(assigned.substatus, reader.apiVersion),
    ...(status === 'failed' ? failure : {}),
    lastUpdatedDateTimeUtc,
    etag,
    payload: isJsonObject(payload) && assigned ? payload : undefined,
  }
}

/** Individual symmetric keys have no object; X.509 always has one; certificate details are left out, for Java. [device-wire §11.19] */
function attestationState(
  { attestationType, enrollmentGroupId }: Registration,
  authenticationKey: string | undefined,
): JsonObject {
  switch (attestationType) {
    case 'symmetricKey':
      return enrollmentGroupId === undefined ? {} : { symmetricKey: { enrollmentGroupId } }
    case 'x509':
      return { x509: { enrollmentGroupId } }
    case 'tpm':
      return authenticationKey === undefined ? {} : { tpm: { authenticationKey } }
  }
}

/** `reprovisionedToInitialAssignment` is shown since 2019-04-15; before, it was called `initialAssignment`. [service-wire §10.4] */
function substatusFor(substatus: Substatus, apiVersion: string): Substatus {
  return substatus === 'reprovisionedToInitialAssignment' && apiVersion < '2019-04-15' ? 'initialAssignment' : substatus
}

function optionalText(value: Json | undefined, member: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  throw new Refusal('BodyMalformed', `${member} is not text`)
}

const base64Shape = /^[A-Za-z0-9+/]*={0,2}$/

function base64(value: Json | undefined): Buffer {
  if (typeof value === 'string' && base64Shape.test(value)) return Buffer.from(value, 'base64')
  throw new Refusal('BodyMalformed', 'the TPM keys are not base64')
}
