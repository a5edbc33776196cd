import { createHash, type X509Certificate } from 'node:crypto'
import { readDer, readOid, type DerElement } from './der.ts'

/**
 * An X.501 name (the content of its SEQUENCE) in a form that equal names share: text without regard to its string type, its case
 * and its blanks. Throws DerMalformed. Kept in the store inside digests, so it never changes. [RFC 5280 §7.1]
 */
export function normalName(content: Buffer): string {
  return JSON.stringify(readDer(content).map((set) => readDer(set.content).map(attribute).toSorted()))
}

/** What names an authority: SHA-256 of its normal name and its public key, upper-case hex. A renewed certificate has the same. */
export function authorityDigest(name: string, { publicKey }: Pick<X509Certificate, 'publicKey'>): string {
  const key = publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(name).update('\0').update(key).digest('hex').toUpperCase()
}

function attribute({ content }: DerElement): string {
  const [type, value] = readDer(content)
  return JSON.stringify([type ? readOid(type.content) : '', value ? text(value) : ''])
}

function text({ tag, content }: DerElement): string {
  const decode = decoders[tag]
  if (!decode) return `#${tag.toString(16)}:${content.toString('hex')}`
  return decode(content).normalize('NFKC').toLowerCase().trim().replaceAll(/\s+/g, ' ')
}

const latin = (content: Buffer): string => content.toString('latin1')

/** By tag: UTF8String, NumericString, PrintableString, TeletexString, IA5String, VisibleString, BMPString. */
const decoders: Readonly<Record<number, (content: Buffer) => string>> = {
  0x0c: (content) => content.toString('utf8'),
  0x12: latin,
  0x13: latin,
  0x14: latin,
  0x16: latin,
  0x1a: latin,
  0x1e: (content) =>
    Buffer.from(content.subarray(0, content.length & ~1))
      .swap16()
      .toString('utf16le'),
}
