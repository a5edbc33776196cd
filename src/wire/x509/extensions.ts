import { contentOf, DerMalformed, derTag, readDer, readOid, readSequence, type DerElement } from '../der.ts'
import { readNameConstraints, type NameConstraints } from './name-constraints.ts'

/** What the extensions of a certificate say, of those that decide something here. [RFC 5280 §4.2] */
export interface Extensions {
  /** The dotted types of all that there are. */
  readonly types: readonly string[]
  /** Critical ones that nothing here understands. */
  readonly unknownCritical: readonly string[]
  readonly basicConstraints?: BasicConstraints
  readonly keyUsage?: KeyUsage
  /** Dotted. */
  readonly extendedKeyUsage?: readonly string[]
  readonly subjectKeyIdentifier?: Buffer
  readonly authorityKeyIdentifier?: Buffer
  /** The bytes of the GeneralNames; read only where a constraint asks for them. */
  readonly subjectAltName?: Buffer
  /** The bytes of the CRLDistributionPoints; read only where somebody asks which lists speak of the certificate. */
  readonly distributionPoints?: Buffer
  readonly nameConstraints?: NameConstraints
  /** Dotted. */
  readonly policies?: readonly string[]
  readonly policyMappings?: readonly (readonly [issuerPolicy: string, subjectPolicy: string])[]
  readonly policyConstraints?: PolicyConstraints
  readonly inhibitAnyPolicy?: number
}

export interface BasicConstraints {
  readonly ca: boolean
  /** How many certificates of CAs may follow below, self-issued ones aside. */
  readonly pathLength?: number
}

export interface KeyUsage {
  readonly digitalSignature: boolean
  readonly keyAgreement: boolean
  readonly keyCertSign: boolean
  readonly cRLSign: boolean
}

export interface PolicyConstraints {
  readonly requireExplicitPolicy?: number
  readonly inhibitPolicyMapping?: number
}

/** Readers by type; each is given the bytes inside the OCTET STRING. */
const readers: Readonly<Record<string, (bytes: Buffer) => Partial<Extensions>>> = {
  '2.5.29.14': (bytes) => ({
    subjectKeyIdentifier: contentOf(readDer(bytes)[0], derTag.octetString, 'the identifier'),
  }),
  '2.5.29.15': (bytes) => ({ keyUsage: readKeyUsage(bytes) }),
  '2.5.29.17': (bytes) => ({ subjectAltName: bytes }),
  '2.5.29.19': (bytes) => ({ basicConstraints: readBasicConstraints(bytes) }),
  '2.5.29.30': (bytes) => ({ nameConstraints: readNameConstraints(bytes) }),
  // Where lists are, and their deltas: they are imported, not looked for.
  '2.5.29.31': (bytes) => ({ distributionPoints: bytes }),
  '2.5.29.46': () => ({}),
  '2.5.29.32': (bytes) => ({ policies: readSequence(bytes, 'the policies').map(firstOid) }),
  '2.5.29.33': (bytes) => ({ policyMappings: readSequence(bytes, 'the mappings').map(readMapping) }),
  '2.5.29.35': (bytes) => readAuthorityKeyIdentifier(bytes),
  '2.5.29.36': (bytes) => ({ policyConstraints: readPolicyConstraints(bytes) }),
  '2.5.29.37': (bytes) => ({ extendedKeyUsage: readSequence(bytes, 'the purposes').map(readPurpose) }),
  '2.5.29.54': (bytes) => ({ inhibitAnyPolicy: readCount(readDer(bytes)[0], derTag.integer) }),
}

/** The extensions in the content of their explicit tag. Throws DerMalformed, naming the extension that cannot be read. */
export function readExtensions(bytes: Buffer): Extensions {
  const types: string[] = []
  const unknownCritical: string[] = []
  let known: Partial<Extensions> = {}
  for (const extension of readSequence(bytes, 'the extensions')) {
    const parts = readDer(contentOf(extension, derTag.sequence, 'an extension'))
    const type = readOid(contentOf(parts.shift(), derTag.oid, "an extension's type"))
    const critical = parts[0]?.tag === derTag.boolean && isTrue(parts.shift()!)
    const value = contentOf(parts.shift(), derTag.octetString, `the value of the extension ${type}`)
    if (parts.length > 0) throw new DerMalformed(`the extension ${type} has more than its value`)
    if (types.includes(type)) throw new DerMalformed(`the extension ${type} is there twice`)
    types.push(type)
    if (types.length > mostExtensions) throw new DerMalformed(`there are more than ${mostExtensions} extensions`)
    if (Object.hasOwn(readers, type)) known = { ...known, ...readNamed(type, value) }
    else if (critical) unknownCritical.push(type)
  }
  return { ...known, types, unknownCritical }
}

const mostExtensions = 100

function readNamed(type: string, value: Buffer): Partial<Extensions> {
  try {
    return readers[type]!(value)
  } catch (error) {
    if (error instanceof DerMalformed) throw new DerMalformed(`the extension ${type} cannot be read: ${error.message}`)
    throw error
  }
}

function readBasicConstraints(bytes: Buffer): BasicConstraints {
  const parts = readSequence(bytes, 'the basic constraints')
  const ca = parts[0]?.tag === derTag.boolean && isTrue(parts.shift()!)
  const [length, ...more] = parts
  if (more.length > 0) throw new DerMalformed('there is more than a flag and a length')
  return { ca, ...(length && { pathLength: readCount(length, derTag.integer) }) }
}

/** Bit 0 is the highest of the first byte. [RFC 5280 §4.2.1.3] */
function readKeyUsage(bytes: Buffer): KeyUsage {
  const [, first = 0] = contentOf(readDer(bytes)[0], derTag.bitString, 'the bits')
  const bit = (number: number) => (first & (0x80 >> number)) !== 0
  return { digitalSignature: bit(0), keyAgreement: bit(4), keyCertSign: bit(5), cRLSign: bit(6) }
}

function readPurpose(element: DerElement): string {
  return readOid(contentOf(element, derTag.oid, 'a purpose'))
}

/** The type of a PolicyInformation; its qualifiers are for people. */
function firstOid(element: DerElement): string {
  const [oid] = readDer(contentOf(element, derTag.sequence, 'a policy'))
  return readOid(contentOf(oid, derTag.oid, 'a policy'))
}

function readMapping(element: DerElement): readonly [string, string] {
  const [issuer, subject] = readDer(contentOf(element, derTag.sequence, 'a mapping'))
  return [
    readOid(contentOf(issuer, derTag.oid, 'a mapped policy')),
    readOid(contentOf(subject, derTag.oid, 'a mapped policy')),
  ]
}

function readPolicyConstraints(bytes: Buffer): PolicyConstraints {
  const parts = readSequence(bytes, 'the policy constraints')
  const find = (tag: number) => parts.find((part) => part.tag === tag)
  return {
    ...(find(0x80) && { requireExplicitPolicy: readCount(find(0x80), 0x80) }),
    ...(find(0x81) && { inhibitPolicyMapping: readCount(find(0x81), 0x81) }),
  }
}

function readAuthorityKeyIdentifier(bytes: Buffer): Partial<Extensions> {
  const identifier = readSequence(bytes, 'the identifier').find(({ tag }) => tag === 0x80)
  return identifier ? { authorityKeyIdentifier: identifier.content } : {}
}

/** A number of certificates; one too large to be reached is Infinity. */
function readCount(element: DerElement | undefined, tag: number): number {
  const content = contentOf(element, tag, 'a number')
  if (content.length === 0 || content[0]! >= 0x80) throw new DerMalformed('a number is negative or empty')
  return content.length > 4 ? Infinity : content.readUIntBE(0, content.length)
}

function isTrue({ content }: DerElement): boolean {
  if (content.length !== 1) throw new DerMalformed('a BOOLEAN that is not one byte')
  return content[0] !== 0
}
