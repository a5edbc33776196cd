import { contentOf, DerMalformed, derTag, readDer, readOid, type DerElement } from '../der.ts'

/** How a certificate was signed, by its identifier. */
export interface SignatureAlgorithm {
  /** Its usual name, or the dotted identifier. */
  readonly name: string
  /** The weakest hash in it; undefined for an algorithm that is not known here. */
  readonly hash: string | undefined
}

/** What kind of key a certificate holds, by its identifier. */
export type KeyKind =
  | { readonly type: 'rsa'; readonly bits: number; readonly exponent: number }
  | { readonly type: 'ec'; readonly curve: string }
  | { readonly type: 'other'; readonly name: string }

const pss = '1.2.840.113549.1.1.10'
const rsaKeys = ['1.2.840.113549.1.1.1', pss]
const ecKey = '1.2.840.10045.2.1'

const signatures: Readonly<Record<string, readonly [name: string, hash: string]>> = {
  '1.2.840.113549.1.1.2': ['md2WithRSAEncryption', 'md2'],
  '1.2.840.113549.1.1.3': ['md4WithRSAEncryption', 'md4'],
  '1.2.840.113549.1.1.4': ['md5WithRSAEncryption', 'md5'],
  '1.2.840.113549.1.1.5': ['sha1WithRSAEncryption', 'sha1'],
  '1.3.14.3.2.29': ['sha1WithRSASignature', 'sha1'],
  '1.2.840.113549.1.1.14': ['sha224WithRSAEncryption', 'sha224'],
  '1.2.840.113549.1.1.11': ['sha256WithRSAEncryption', 'sha256'],
  '1.2.840.113549.1.1.12': ['sha384WithRSAEncryption', 'sha384'],
  '1.2.840.113549.1.1.13': ['sha512WithRSAEncryption', 'sha512'],
  '1.2.840.10045.4.1': ['ecdsa-with-SHA1', 'sha1'],
  '1.2.840.10045.4.3.1': ['ecdsa-with-SHA224', 'sha224'],
  '1.2.840.10045.4.3.2': ['ecdsa-with-SHA256', 'sha256'],
  '1.2.840.10045.4.3.3': ['ecdsa-with-SHA384', 'sha384'],
  '1.2.840.10045.4.3.4': ['ecdsa-with-SHA512', 'sha512'],
}

const hashes: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
  '2.16.840.1.101.3.4.2.4': 'sha224',
}

const otherNames: Readonly<Record<string, string>> = {
  '1.2.840.10040.4.1': 'DSA',
  '1.2.840.10040.4.3': 'dsa-with-SHA1',
  '1.3.101.112': 'Ed25519',
  '1.3.101.113': 'Ed448',
}

const curves: Readonly<Record<string, string>> = {
  '1.2.840.10045.3.1.7': 'P-256',
  '1.3.132.0.34': 'P-384',
  '1.3.132.0.35': 'P-521',
}

/** The algorithm in this AlgorithmIdentifier's content. Throws DerMalformed. [RFC 3279, RFC 4055, RFC 5758] */
export function readSignatureAlgorithm(content: Buffer): SignatureAlgorithm {
  const [oid, parameters] = readAlgorithm(content)
  if (oid === pss) return readPss(parameters)
  const [name, hash] = own(signatures, oid) ?? []
  return { name: name ?? own(otherNames, oid) ?? oid, hash }
}

/** The kind of the key in this SubjectPublicKeyInfo's content. Throws DerMalformed. [RFC 3279 §2.3, RFC 5480] */
export function readKeyKind(content: Buffer): KeyKind {
  const [algorithm, key] = readDer(content)
  const [oid, parameters] = readAlgorithm(contentOf(algorithm, derTag.sequence, "the key's algorithm"))
  const bits = contentOf(key, derTag.bitString, 'the public key')
  if (rsaKeys.includes(oid)) return readRsaKey(bits.subarray(1))
  if (oid !== ecKey) return { type: 'other', name: own(otherNames, oid) ?? oid }
  // A curve that is spelled out could be one with a generator of the issuer's choice.
  const named = parameters?.tag === derTag.oid ? readOid(parameters.content) : 'spelled out'
  return { type: 'ec', curve: own(curves, named) ?? named }
}

function readRsaKey(bytes: Buffer): KeyKind {
  const [numbers] = readDer(bytes)
  const [modulus, exponent] = readDer(contentOf(numbers, derTag.sequence, 'the RSA key'))
  return {
    type: 'rsa',
    bits: bitsOf(contentOf(modulus, derTag.integer, 'the RSA modulus')),
    exponent: numberOf(contentOf(exponent, derTag.integer, 'the RSA exponent')),
  }
}

/** Absent parts have their defaults, which are SHA-1. [RFC 4055 §3.1] */
function readPss(parameters: DerElement | undefined): SignatureAlgorithm {
  const parts = parameters ? readDer(contentOf(parameters, derTag.sequence, 'the RSASSA-PSS parameters')) : []
  const inside = (tag: number) => {
    const part = parts.find((one) => one.tag === tag)
    return part && readAlgorithm(contentOf(readDer(part.content)[0], derTag.sequence, 'an RSASSA-PSS hash'))
  }
  const hash = hashOf(inside(0xa0)?.[0])
  const mask = inside(0xa1)?.[1]
  const maskHash = hashOf(mask && readAlgorithm(contentOf(mask, derTag.sequence, 'the hash of the RSASSA-PSS mask'))[0])
  const weakest = [hash, maskHash].includes('sha1') ? 'sha1' : hash && maskHash && hash
  return { name: `RSASSA-PSS with ${hash ?? 'an unknown hash'}, MGF1 ${maskHash ?? 'an unknown hash'}`, hash: weakest }
}

function hashOf(oid: string | undefined): string | undefined {
  return oid === undefined ? 'sha1' : own(hashes, oid)
}

function readAlgorithm(content: Buffer): readonly [oid: string, parameters: DerElement | undefined] {
  const [oid, parameters, ...more] = readDer(content)
  if (more.length > 0) throw new DerMalformed('an algorithm with more than its parameters')
  return [readOid(contentOf(oid, derTag.oid, "an algorithm's identifier")), parameters]
}

function bitsOf(integer: Buffer): number {
  const first = integer.findIndex((byte) => byte !== 0)
  return first === -1 ? 0 : (integer.length - first) * 8 - (Math.clz32(integer[first]!) - 24)
}

/** The number, or Infinity for one that is too large to matter. */
function numberOf(integer: Buffer): number {
  return integer.length > 6 ? Infinity : integer.length === 0 ? 0 : integer.readUIntBE(0, integer.length)
}

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}
