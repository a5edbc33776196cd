import { verify, type KeyObject, type X509Certificate } from 'node:crypto'
import { DerMalformed, derTag, readDer, readOid, type DerElement } from './der.ts'
import { distinguishedName } from './distinguished-name.ts'

/** A certificate revocation list whose signature has not been looked at. [RFC 5280 §5] */
export interface ParsedRevocationList {
  /** As certificates are shown: the most specific part first. */
  readonly issuer: string
  /** The content of the issuer's DER name, to compare with that of certificates. */
  readonly issuerName: Buffer
  readonly thisUpdate: Date
  readonly nextUpdate?: Date
  readonly entries: readonly RevokedCertificate[]
  /** True if the key of this certificate signed the list. */
  readonly signedBy: (certificate: X509Certificate) => boolean
}

export interface RevokedCertificate {
  /** Upper-case hex of the DER integer. */
  readonly serialNumber: string
  /** As RFC 5280 names it. */
  readonly reason: string
}

const bitString = 0x03
const enumerated = 0x0a
const utcTime = 0x17
const generalizedTime = 0x18
const extensions = 0xa0
const reasonCode = '2.5.29.21'
/** Lists that are parts of others: taken for whole ones, they would let revoked devices in. */
const partial = ['2.5.29.27', '2.5.29.28']
const mostEntries = 1_000_000

const reasons = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'unspecified',
  'removeFromCRL',
  'privilegeWithdrawn',
  'aACompromise',
] as const

/** Hash and padding of each algorithm; Ed25519 hashes by itself. */
const algorithms: Readonly<Record<string, string | null>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.3.101.112': null,
}

/** Read a list, PEM or DER. Throws DerMalformed if it is none, is only a part of one, or is signed in an unknown way. */
export function parseRevocationList(bytes: Buffer): ParsedRevocationList {
  const der = derOf(bytes)
  const [list] = readDer(der)
  const [tbs, algorithm, signature] = list?.tag === derTag.sequence ? readDer(list.content) : []
  if (!tbs || !algorithm || signature?.tag !== bitString)
    throw new DerMalformed('this is no certificate revocation list')
  const hash = algorithms[oidOf(algorithm)]
  if (hash === undefined) throw new DerMalformed('the list is signed with an algorithm that is not known here')

  const fields = readDer(tbs.content)
  if (fields[0]?.tag === derTag.integer) fields.shift()
  const [, issuer, thisUpdate, ...rest] = fields
  if (!issuer || !thisUpdate) throw new DerMalformed('a revocation list without issuer or date')
  const nextUpdate = isTime(rest[0]) ? rest.shift() : undefined
  const revoked = rest[0]?.tag === derTag.sequence ? rest.shift() : undefined
  demandWhole(rest.find(({ tag }) => tag === extensions))
  return {
    issuer: distinguishedName(issuer.content),
    issuerName: issuer.content,
    thisUpdate: timeOf(thisUpdate),
    ...(nextUpdate && { nextUpdate: timeOf(nextUpdate) }),
    entries: revoked ? entriesOf(revoked) : [],
    signedBy: ({ publicKey }) => signed(tbsBytes(der, tbs), signature.content.subarray(1), publicKey, hash),
  }
}

function derOf(bytes: Buffer): Buffer {
  if (bytes[0] === derTag.sequence) return bytes
  const body = /-----BEGIN (?:X509 )?CRL-----([A-Za-z0-9+/=\s]*)-----END (?:X509 )?CRL-----/.exec(
    bytes.toString('latin1'),
  )?.[1]
  return Buffer.from(body ?? bytes.toString('latin1'), 'base64')
}

function entriesOf({ content }: DerElement): readonly RevokedCertificate[] {
  const entries = readDer(content)
  if (entries.length > mostEntries) throw new DerMalformed(`the list has more than ${mostEntries} entries`)
  return entries.flatMap((entry) => {
    const [serial, , more] = readDer(entry.content)
    if (serial?.tag !== derTag.integer) throw new DerMalformed('an entry without a serial number')
    const reason = more ? reasonOf(more) : 'unspecified'
    return reason === 'removeFromCRL' ? [] : [{ serialNumber: serial.content.toString('hex').toUpperCase(), reason }]
  })
}

function reasonOf({ content }: DerElement): string {
  for (const extension of readDer(content)) {
    const [oid, ...values] = readDer(extension.content)
    if (!oid || readOid(oid.content) !== reasonCode) continue
    const [value] = readDer(values.at(-1)?.content ?? Buffer.alloc(0))
    if (value?.tag === enumerated) return reasons[value.content[0] ?? 0] ?? 'unspecified'
  }
  return 'unspecified'
}

function demandWhole(all: DerElement | undefined): void {
  const [list] = all ? readDer(all.content) : []
  for (const extension of list ? readDer(list.content) : []) {
    const [oid] = readDer(extension.content)
    if (oid && partial.includes(readOid(oid.content))) throw new DerMalformed('delta and partial lists are not taken')
  }
}

/** The bytes that were signed, with the header that `readDer` took off; it is the first thing in the list. */
function tbsBytes(der: Buffer, { content }: DerElement): Buffer {
  const end = content.byteOffset - der.byteOffset + content.length
  const header = content.length < 0x80 ? 2 : 2 + Math.ceil(Math.log2(content.length + 1) / 8)
  return der.subarray(end - content.length - header, end)
}

function signed(message: Buffer, signature: Buffer, key: KeyObject, hash: string | null): boolean {
  try {
    return verify(hash, message, key, signature)
  } catch {
    // A key of another type than the algorithm's did not sign this.
    return false
  }
}

function oidOf({ content }: DerElement): string {
  const [oid] = readDer(content)
  return oid ? readOid(oid.content) : ''
}

function isTime(value: DerElement | undefined): boolean {
  return value?.tag === utcTime || value?.tag === generalizedTime
}

function timeOf({ tag, content }: DerElement): Date {
  const text = content.toString('latin1')
  const digits = tag === utcTime ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits) ?? []
  const [year, month, day, hour, minute, second] = parts.map(Number)
  if (second === undefined) throw new DerMalformed('a date that cannot be read')
  return new Date(Date.UTC(year!, month! - 1, day, hour, minute, second))
}
