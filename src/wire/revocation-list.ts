import { createHash, type X509Certificate } from 'node:crypto'
import { DerMalformed, derTag, eachDer, readDer, type DerElement } from './der.ts'
import { distinguishedName } from './distinguished-name.ts'
import { readEntry, type EntryContext, type RevokedCertificate } from './revocation-list/entry.ts'
import { readExtensions, type ListExtensions } from './revocation-list/extensions.ts'
import { readSignatureAlgorithm } from './revocation-list/signature.ts'

/** A certificate revocation list whose signature has not been looked at. [RFC 5280 §5] */
export interface ParsedRevocationList extends ListExtensions {
  /** As certificates are shown: the most specific part first. */
  readonly issuer: string
  /** The content of the issuer's DER name, to compare with that of certificates. */
  readonly issuerName: Buffer
  readonly thisUpdate: Date
  readonly nextUpdate?: Date
  /** SHA-256 of what is signed, upper-case hex: two lists that say the same have the same. */
  readonly digest: string
  /** Reads the entries as they are asked for, each of its own issuer's or with the issuer that it is of; throws DerMalformed at one that cannot be taken. */
  readonly entries: () => Iterable<RevokedCertificate>
  /** True if the key of this certificate signed the list. */
  readonly signedBy: (certificate: Pick<X509Certificate, 'publicKey'>) => boolean
}

const bitString = 0x03
const utcTime = 0x17
const generalizedTime = 0x18
const extensionsTag = 0xa0
/** Bytes. A list has hardly more than forty for each certificate. */
const longestName = 4096

/**
 * Read a list, PEM or DER, but for its entries. Throws DerMalformed, saying what, if it is none, is about other things than
 * certificates, has a critical extension that is not known, or is signed in an unknown or weak way.
 */
export function parseRevocationList(bytes: Buffer): ParsedRevocationList {
  const [list, ...more] = readDer(derOf(bytes))
  const [tbs, algorithm, signature] = list?.tag === derTag.sequence ? readDer(list.content) : []
  if (!list || more.length > 0 || !tbs || !algorithm || signature?.tag !== bitString || signature.content[0] !== 0)
    throw new DerMalformed('this is no certificate revocation list')
  const fields = readDer(tbs.content)
  const version = fields[0]?.tag === derTag.integer ? fields.shift() : undefined
  if (version && !version.content.equals(Buffer.of(1))) throw new DerMalformed('a version that lists do not have')
  const [inner, issuer, thisUpdate, ...rest] = fields
  if (!inner || issuer?.tag !== derTag.sequence || !isTime(thisUpdate))
    throw new DerMalformed('a revocation list without issuer or date')
  if (!inner.content.equals(algorithm.content)) throw new DerMalformed('the list names two signature algorithms')
  if (issuer.content.length === 0 || issuer.content.length > longestName)
    throw new DerMalformed(`the name of its issuer is empty or longer than ${longestName} bytes`)

  const verifies = readSignatureAlgorithm(algorithm)
  const nextUpdate = isTime(rest[0]) ? rest.shift() : undefined
  const revoked = rest[0]?.tag === derTag.sequence ? rest.shift() : undefined
  const extensions = rest[0]?.tag === extensionsTag ? rest.shift() : undefined
  if (rest.length > 0) throw new DerMalformed('something follows the extensions of the list')
  if (extensions && !version) throw new DerMalformed('a list of version 1 has no extensions')
  const signedBytes = list.content.subarray(0, endOf(tbs) - list.content.byteOffset)
  const says = readExtensions(extensions, issuer.content)
  const context = { isDelta: says.base !== undefined, isIndirect: says.scope.indirect ?? false }
  return {
    issuer: distinguishedName(issuer.content),
    issuerName: issuer.content,
    thisUpdate: timeOf(thisUpdate!),
    ...(nextUpdate && { nextUpdate: timeOf(nextUpdate) }),
    ...says,
    digest: createHash('sha256').update(signedBytes).digest('hex').toUpperCase(),
    entries: () => entriesOf(revoked, context),
    signedBy: ({ publicKey }) => verifies(signedBytes, signature.content.subarray(1), publicKey),
  }
}

function derOf(bytes: Buffer): Buffer {
  if (bytes[0] === derTag.sequence) return bytes
  const text = bytes.toString('latin1')
  const body = /-----BEGIN (?:X509 )?CRL-----([A-Za-z0-9+/=\s]*)-----END (?:X509 )?CRL-----/.exec(text)?.[1]
  return Buffer.from(body ?? text, 'base64')
}

/** An entry that names no issuer is of the one that the entry before it is of. [RFC 5280 §5.3.3] */
function* entriesOf(revoked: DerElement | undefined, context: EntryContext): Generator<RevokedCertificate, void> {
  let issuer: Buffer | undefined
  for (const element of revoked ? eachDer(revoked.content) : []) {
    const entry = readEntry(element, context)
    issuer = entry.issuer ?? issuer
    yield issuer ? { ...entry, issuer } : entry
  }
}

/** Where an element ends in the memory that its bytes are part of. */
function endOf({ content }: DerElement): number {
  return content.byteOffset + content.length
}

function isTime(value: DerElement | undefined): boolean {
  return value?.tag === utcTime || value?.tag === generalizedTime
}

function timeOf({ tag, content }: DerElement): Date {
  const text = content.toString('latin1')
  const digits = tag === utcTime ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits) ?? []
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const date = new Date(iso)
  // A day that its month does not have would be taken for one of the next.
  if (Number.isNaN(date.getTime()) || date.toISOString() !== iso) throw new DerMalformed('a date that cannot be read')
  return date
}
