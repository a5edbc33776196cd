import { constants, verify, type KeyObject } from 'node:crypto'
import { DerMalformed, derTag, readDer, readOid, type DerElement } from '../der.ts'

/** Whether this key made this signature of the message. */
export type Verifies = (message: Buffer, signature: Buffer, key: KeyObject) => boolean

/** Hash of each algorithm, RSA with PKCS #1 padding or ECDSA; Ed25519 hashes by itself. */
const algorithms: ReadonlyMap<string, string | null> = new Map([
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.3.101.112', null],
])

/** Collisions of these can be made. */
const weak: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.2', 'md2WithRSAEncryption'],
  ['1.2.840.113549.1.1.4', 'md5WithRSAEncryption'],
  ['1.2.840.113549.1.1.5', 'sha1WithRSAEncryption'],
  ['1.3.14.3.2.29', 'sha1WithRSASignature'],
  ['1.2.840.10045.4.1', 'ecdsa-with-SHA1'],
  ['1.2.840.10040.4.3', 'dsa-with-SHA1'],
])

const rsassaPss = '1.2.840.113549.1.1.10'
const pssHashes: ReadonlyMap<string, string> = new Map([
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
])

/** How signatures of this AlgorithmIdentifier are checked. Throws DerMalformed, naming it, if it is not known or too weak. */
export function readSignatureAlgorithm({ content }: DerElement): Verifies {
  const [id, parameters] = readDer(content)
  const oid = id?.tag === derTag.oid ? readOid(id.content) : ''
  if (oid === rsassaPss) return pss(parameters)
  const hash = algorithms.get(oid)
  if (hash !== undefined) return (message, signature, key) => attempt(() => verify(hash, message, key, signature))
  const name = weak.get(oid)
  throw new DerMalformed(
    name
      ? `the list is signed with ${name}, which is too weak; sign it with SHA-256 or better`
      : `the list is signed with the algorithm ${oid || 'none'}, which is not known here`,
  )
}

/** `[0]` hash, `[1]` mask generation with a hash, `[2]` salt length; what is left out means SHA-1. [RFC 4055 §3.1] */
function pss(parameters: DerElement | undefined): Verifies {
  const parts = parameters?.tag === derTag.sequence ? readDer(parameters.content) : []
  const part = (tag: number) => readDer(parts.find((one) => one.tag === tag)?.content ?? Buffer.alloc(0))[0]
  const hash = hashOf(part(0xa0))
  const maskHash = hashOf(readDer(part(0xa1)?.content ?? Buffer.alloc(0))[1])
  const salt = part(0xa2)?.content
  if (hash === undefined || hash !== maskHash)
    throw new DerMalformed('the list is signed with RSASSA-PSS and not with SHA-256, SHA-384 or SHA-512 throughout')
  const options = {
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: salt ? salt.readUIntBE(0, Math.min(salt.length, 4)) : 20,
  }
  return (message, signature, key) => attempt(() => verify(hash, message, { key, ...options }, signature))
}

function hashOf(algorithm: DerElement | undefined): string | undefined {
  const [id] = readDer(algorithm?.content ?? Buffer.alloc(0))
  return pssHashes.get(id ? readOid(id.content) : '')
}

function attempt(check: () => boolean): boolean {
  try {
    return check()
  } catch {
    // A key of another type than the algorithm's did not sign this.
    return false
  }
}
