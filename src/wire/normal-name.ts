import { createHash, type X509Certificate } from 'node:crypto'
import { readDer, readOid, type DerElement } from './der.ts'
import { attributeText, normalText } from './distinguished-name.ts'

/**
 * An X.501 name (the content of its SEQUENCE) in a form that equal names share: text without regard to its string type, its case
 * and its blanks. Throws DerMalformed. Kept in the store inside digests, so it never changes. [RFC 5280 §7.1]
 */
export function normalName(content: Buffer): string {
  return JSON.stringify(readDer(content).map((set) => normalPart(set.content)))
}

/** The normal name of what stands directly below a name: that with one more part, the content of a SET. Throws DerMalformed. */
export function normalNameBelow(content: Buffer, part: Buffer): string {
  return JSON.stringify([...readDer(content).map((set) => normalPart(set.content)), normalPart(part)])
}

/** What names an authority: SHA-256 of its normal name and its public key, upper-case hex. A renewed certificate has the same. */
export function authorityDigest(name: string, { publicKey }: Pick<X509Certificate, 'publicKey'>): string {
  const key = publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(name).update('\0').update(key).digest('hex').toUpperCase()
}

/** SHA-256 of a normal name, upper-case hex. Kept in the store, so it never changes, and never the digest of an authority. */
export function nameDigest(name: string): string {
  return createHash('sha256').update(name).digest('hex').toUpperCase()
}

function normalPart(content: Buffer): readonly string[] {
  return readDer(content).map(attribute).toSorted()
}

function attribute({ content }: DerElement): string {
  const [type, value] = readDer(content)
  return JSON.stringify([type ? readOid(type.content) : '', value ? text(value) : ''])
}

function text(value: DerElement): string {
  const said = attributeText(value)
  return said === undefined ? `#${value.tag.toString(16)}:${value.content.toString('hex')}` : normalText(said)
}
