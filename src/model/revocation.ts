import { createHash } from 'node:crypto'
import { registrationKey } from './identifiers.ts'
import type { Timestamp } from './timestamp.ts'

/** Something that may never register at this instance again, whatever else vouches for it. */
export interface Revocation {
  /** Made by `revocationKeys`; what the deny list is searched by. */
  readonly key: string
  /** What was revoked, as the operator named it. */
  readonly subject: RevokedSubject
  readonly reason: string
  /** `operator`, or `crl:` and the name of the imported list. */
  readonly source: string
  readonly createdDateTimeUtc: Timestamp
}

/** The four ways to name what is revoked. */
export type RevokedSubject =
  | { readonly registrationId: string }
  /** SHA-1 or SHA-256 of a certificate, hex. */
  | { readonly thumbprint: string }
  /** Hex; with the SHA-256 of the issuer's DER name where it is known, else for any issuer. */
  | { readonly serialNumber: string; readonly issuer?: string }
  /** TPM2B_PUBLIC, base64. */
  | { readonly endorsementKey: string }

/** A certificate revocation list that was imported, and what is known of it. */
export interface RevocationList {
  readonly name: string
  readonly issuer: string
  readonly thisUpdate: string
  readonly nextUpdate?: string
  readonly revoked: number
  /** Where it is fetched from again; absent for one that was uploaded. */
  readonly url?: string
  readonly lastUpdatedDateTimeUtc: Timestamp
}

/** The key under which the deny list keeps this. */
export function revocationKey(subject: RevokedSubject): string {
  if ('registrationId' in subject) return `registration:${registrationKey(subject.registrationId)}`
  if ('thumbprint' in subject) return `thumbprint:${plainHex(subject.thumbprint)}`
  if ('serialNumber' in subject) {
    return `serial:${subject.issuer === undefined ? '*' : plainHex(subject.issuer)}:${plainSerial(subject.serialNumber)}`
  }
  return `ek:${createHash('sha256').update(Buffer.from(subject.endorsementKey, 'base64')).digest('hex').toUpperCase()}`
}

/** Upper case, without the colons and blanks that tools put between bytes. */
function plainHex(text: string): string {
  return text.replaceAll(/[\s:]/g, '').toUpperCase()
}

/** Serial numbers are integers: leading zeros say nothing. */
function plainSerial(text: string): string {
  return plainHex(text).replace(/^0+(?=.)/, '')
}
