import { createHash } from 'node:crypto'
import { registrationKey } from './identifiers.ts'
import type { Timestamp } from '../base/time.ts'

/** Something that may never register at this instance again, whatever else vouches for it. */
export interface Revocation {
  /** Made by `revocationKeys`; what the deny list is searched by. */
  readonly key: string
  /** What was revoked, as the operator named it. */
  readonly subject: RevokedSubject
  readonly reason: string
  /** `operator`; `crl:` and a name for what a list revoked before lists were tied to their issuers' keys. */
  readonly source: string
  readonly createdDateTimeUtc: Timestamp
}

/** The four ways to name what is revoked. */
export type RevokedSubject =
  | { readonly registrationId: string }
  /** SHA-1 or SHA-256 of a certificate, hex. */
  | { readonly thumbprint: string }
  /** Hex; for any issuer, or with the SHA-256 of the issuer's DER name as lists were once kept. */
  | { readonly serialNumber: string; readonly issuer?: string }
  /** TPM2B_PUBLIC, base64. */
  | { readonly endorsementKey: string }

/** A certificate revocation list that was imported, and what is known of it. */
export interface RevocationList {
  readonly name: string
  readonly issuer: string
  /** Digests of the names and keys of those whose certificates it is about, its signer first; absent in an old one. */
  readonly authorities?: readonly string[]
  /** Its CRL number, decimal, if it carries one. */
  readonly number?: string
  readonly thisUpdate: string
  readonly nextUpdate?: string
  /** What the list is about; absent in one that was imported before that was looked at. */
  readonly scope?: RevocationScope
  /** SHA-256 of what was signed, upper-case hex. */
  readonly digest?: string
  readonly revoked: number
  /** Its entries are not all written: an import is under way, or was cut off and has to be done again. */
  readonly incomplete?: true
  /** Where it is fetched from again; absent for one that was uploaded. */
  readonly url?: string
  readonly lastUpdatedDateTimeUtc: Timestamp
}

/** Which of its issuer's certificates, and which reasons, a list is about. [RFC 5280 §5.2.5] */
export interface RevocationScope {
  /** `user`: certificates that are no CAs. */
  readonly certificates: 'all' | 'user' | 'ca'
  /** Absent: every reason. */
  readonly reasons?: readonly string[]
  readonly distributionPoint?: string
}

/** A certificate that an imported list revokes. */
export interface ListedRevocation {
  /** The name of the list. */
  readonly list: string
  /** Digest of the name and key of the certificate's issuer, upper-case hex. */
  readonly authority: string
  /** Upper-case hex without leading zeros, after a minus sign if it is negative. */
  readonly serialNumber: string
  /** As RFC 5280 names it. */
  readonly reason: string
  readonly certificates: RevocationScope['certificates']
  readonly createdDateTimeUtc: Timestamp
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
