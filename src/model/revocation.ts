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
  /** The content of its issuer's DER name, base64; absent in one that was imported before other issuers' certificates were taken. */
  readonly issuerName?: string
  /** Its CRL number, decimal, if it carries one. */
  readonly number?: string
  /** It is a delta: it says what changed since the list of this number, decimal. */
  readonly base?: string
  readonly thisUpdate: string
  readonly nextUpdate?: string
  /** What the list is about; absent in one that was imported before that was looked at. */
  readonly scope?: RevocationScope
  /** SHA-256 of what was signed, upper-case hex. */
  readonly digest?: string
  readonly revoked: number
  /**
   * An import is under way, or was cut off and has to be done again. `true`: not all of its entries are written; `renewing`: they
   * are, and some of the list that follows it.
   */
  readonly incomplete?: true | 'renewing'
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
  /** The part of its issuer's certificates that points there, for people. */
  readonly distributionPoint?: string
  /** The same in a form to compare; absent in a list that was imported before that was looked at. */
  readonly points?: readonly string[]
  /** It may speak of other issuers' certificates, which name its issuer. */
  readonly indirect?: true
}

/** A certificate that an imported list revokes, or that a delta takes off one. */
export interface ListedRevocation {
  /** The name of the list. */
  readonly list: string
  /** Digest of the name and key of the certificate's issuer, upper-case hex; of the name alone where an indirect list names it. */
  readonly authority: string
  /** Upper-case hex without leading zeros, after a minus sign if it is negative. */
  readonly serialNumber: string
  /** As RFC 5280 names it. */
  readonly reason: string
  readonly certificates: RevocationScope['certificates']
  readonly createdDateTimeUtc: Timestamp
}

/** Whether two lists are of one signer and about the same certificates and reasons. */
export function isKin(one: Kin, other: Kin): boolean {
  const signer = one.authorities?.[0]
  return signer !== undefined && signer === other.authorities?.[0] && isSameScope(one.scope, other.scope)
}

/** Whether two lists are about the same certificates and reasons; one of which that is not known is not. */
export function isSameScope(one: RevocationScope | undefined, other: RevocationScope | undefined): boolean {
  return one !== undefined && other !== undefined && scopeKey(one) === scopeKey(other)
}

/** Whether a delta says what changed in this list: together they are one of the delta's number. [RFC 5280 §5.2.4] */
export function isDeltaOf(delta: RevocationList, { base, number, ...complete }: RevocationList): boolean {
  if (delta.base === undefined || base !== undefined || number === undefined || !isKin(delta, complete)) return false
  return BigInt(number) >= BigInt(delta.base) && BigInt(number) < BigInt(delta.number ?? 0)
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

type Kin = Pick<RevocationList, 'authorities' | 'scope'>

function scopeKey({ certificates, reasons, distributionPoint, indirect }: RevocationScope): string {
  return JSON.stringify([certificates, reasons, distributionPoint, indirect])
}

/** Upper case, without the colons and blanks that tools put between bytes. */
function plainHex(text: string): string {
  return text.replaceAll(/[\s:]/g, '').toUpperCase()
}

/** Serial numbers are integers: leading zeros say nothing. */
function plainSerial(text: string): string {
  return plainHex(text).replace(/^0+(?=.)/, '')
}
