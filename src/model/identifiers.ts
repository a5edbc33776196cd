import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { Brand } from '../base/brand.ts'

/** The tenant's public name: generated, unique, immutable, compared exactly. Not a secret. [device-wire §1.3] */
export type IdScope = string & Brand<'id-scope'>

/**
 * 1 to 128 of letters, digits and `- . _ :`, beginning with a letter or digit, ending with one or with `-`; compared
 * without regard to case, so every key made from it is `registrationKey`. [device-wire §1.3]
 */
export type RegistrationId = string & Brand<'registration-id'>

/** An IoT hub's name for the device, case-sensitive. [device-wire §1.3] */
export type DeviceId = string & Brand<'device-id'>

/** `5.<16 hex>.<guid>`; spliced unencoded into URLs and topics, so it stays inside `[A-Za-z0-9.-]`. [device-wire §0.17] */
export type OperationId = string & Brand<'operation-id'>

/** Opaque version of a stored record: base64 of a quoted GUID, new on each write. [service-wire §2.4] */
export type Etag = string & Brand<'etag'>

const registrationIdShape = /^(?=.{1,128}$)[A-Za-z0-9](?:[A-Za-z0-9\-._:]*[A-Za-z0-9-])?$/
const deviceIdShape = /^[A-Za-z0-9\-:.+%_#*?!(),=@;$']{1,128}$/

/** True if the text obeys the registration ID grammar; enrollment group IDs obey the same. */
export function isRegistrationId(text: string): text is RegistrationId {
  return registrationIdShape.test(text)
}

/** True if an IoT hub would take the text as a device ID. */
export function isDeviceId(text: string): text is DeviceId {
  return deviceIdShape.test(text)
}

/** The device ID that a device has as long as nobody chose another one: every registration ID can be one. */
export function deviceIdOf(registrationId: RegistrationId): DeviceId {
  return registrationId as string as DeviceId
}

/** The spelling under which a registration ID or enrollment group ID is stored and compared. */
export function registrationKey(id: string): string {
  return id.toLowerCase()
}

/** A new ID scope: `0ne` and eight upper-case hex digits. */
export function newIdScope(): IdScope {
  return ('0ne' + randomBytes(4).toString('hex').toUpperCase()) as IdScope
}

/** Stands where there is no instance: of what strangers ask for, and of an instance that is not made yet. */
export const noIdScope = '' as IdScope

/** Stands in the answer to a request that began no operation. */
export const noOperationId = '' as OperationId

/** A new operation ID; its middle part is the same for every operation of one registration. */
export function newOperationId(idScope: IdScope, registrationId: RegistrationId): OperationId {
  const owner = createHash('sha256')
    .update(`${idScope}/${registrationKey(registrationId)}`)
    .digest('hex')
    .slice(0, 16)
  return `5.${owner}.${randomUUID()}` as OperationId
}

/** A new etag, unlike any before. */
export function newEtag(): Etag {
  return Buffer.from(`"${randomUUID()}"`).toString('base64') as Etag
}

/** Of a record that was made before records of its kind had etags. */
export const firstEtag = 'AAAAAAAAAAE=' as Etag
