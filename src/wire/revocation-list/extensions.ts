import { DerMalformed, derTag, readDer, readOid, type DerElement } from '../der.ts'
import { readScope, wholeScope, type ListScope } from './list-scope.ts'

/** What the extensions of a list say of it. */
export interface ListExtensions {
  /** It only grows from a list to the next of the same issuer and scope. [RFC 5280 §5.2.3] */
  readonly number?: bigint
  /** It is a delta: it says only what changed since the list of this number. [RFC 5280 §5.2.4] */
  readonly base?: bigint
  /** Which of its issuer's keys signed it. [RFC 5280 §5.2.1] */
  readonly authorityKeyIdentifier?: Buffer
  readonly scope: ListScope
}

/** One extension of a list, an entry or a certificate. */
export interface Extension {
  readonly oid: string
  readonly critical: boolean
  /** The content of its OCTET STRING. */
  readonly value: Buffer
}

const boolean = 0x01
const octetString = 0x04
const keyIdentifier = 0x80
/** Bytes. [RFC 5280 §5.2.3] */
const longestNumber = 20
/** The issuer's other names, where its certificate is, and where deltas of the list are. */
const harmless = ['2.5.29.18', '1.3.6.1.5.5.7.1.1', '2.5.29.46']

/** Read the extensions of a list (`[0]`) of this issuer; throws DerMalformed, saying which, if one of them forbids to take the list. */
export function readExtensions(extensions: DerElement | undefined, issuer: Buffer): ListExtensions {
  const [all] = extensions ? readDer(extensions.content) : []
  let number: bigint | undefined
  let base: bigint | undefined
  let authorityKeyIdentifier: Buffer | undefined
  let scope = wholeScope
  for (const { oid, critical, value } of all ? eachExtension(all.content) : []) {
    switch (oid) {
      case '2.5.29.20':
        number = readNumber(value)
        break
      case '2.5.29.35':
        authorityKeyIdentifier = readDer(readDer(value)[0]?.content ?? value).find(
          ({ tag }) => tag === keyIdentifier,
        )?.content
        break
      case '2.5.29.28':
        scope = readScope(value, issuer)
        break
      case '2.5.29.27':
        base = readNumber(value)
        break
      default:
        if (critical && !harmless.includes(oid))
          throw new DerMalformed(`the list has the critical extension ${oid}, which is not known here`)
    }
  }
  if (base !== undefined && (number === undefined || number < base))
    throw new DerMalformed('a delta list without a number, or with one below that of the list which it changes')
  return {
    ...(number !== undefined && { number }),
    ...(base !== undefined && { base }),
    ...(authorityKeyIdentifier && { authorityKeyIdentifier }),
    scope,
  }
}

/** The extensions in the content of their SEQUENCE. Throws DerMalformed, also if there are two of a kind. */
export function* eachExtension(content: Buffer): Generator<Extension, void> {
  const seen = new Set<string>()
  for (const element of readDer(content)) {
    const [id, ...rest] = element.tag === derTag.sequence ? readDer(element.content) : []
    const flag = rest[0]?.tag === boolean ? rest.shift() : undefined
    const [value, ...more] = rest
    if (id?.tag !== derTag.oid || value?.tag !== octetString || more.length > 0)
      throw new DerMalformed('an extension that cannot be read')
    const oid = readOid(id.content)
    if (seen.has(oid)) throw new DerMalformed(`the extension ${oid} stands there twice`)
    seen.add(oid)
    yield { oid, critical: flag !== undefined && flag.content[0] !== 0, value: value.content }
  }
}

function readNumber(value: Buffer): bigint {
  const [number] = readDer(value)
  const { length, 0: first = 0x80 } = number?.content ?? Buffer.alloc(0)
  if (number?.tag !== derTag.integer || length > longestNumber || first >= 0x80)
    throw new DerMalformed(`the number of the list is not 0 or more in up to ${longestNumber} bytes`)
  return BigInt(`0x${number.content.toString('hex')}`)
}
