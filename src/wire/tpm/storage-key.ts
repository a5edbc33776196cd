import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { algorithm, attribute } from './constants.ts'
import { demand, TpmReader, uint16 } from './structure-reader.ts'

/** A restricted RSA decryption key of a TPM: an endorsement key or a storage root key. */
export interface StorageKey {
  /** The TPM2B_PUBLIC that it was read from. */
  readonly bytes: Buffer
  /** TPM2B_NAME content: algorithm and SHA-256 of the public area. */
  readonly name: Buffer
  readonly modulusBits: number
  /** Made when it is first asked for: that costs ten times more than reading the structure. */
  readonly publicKey: KeyObject
}

/** Longest TPM2B_PUBLIC that can be valid: a 64-byte policy and an RSA-4096 modulus. */
export const longestStorageKey = 2 + 10 + 2 + 64 + 16 + 512

/**
 * Read an endorsement key or storage root key from a TPM2B_PUBLIC as devices send it: RSA of 1024 to 4096 bits, named with
 * SHA-256, protecting its children with AES-128-CFB. Throws MalformedTpmStructure for everything else, ECC included.
 * [device-wire §5.1]
 */
export function parseStorageKey(bytes: Buffer): StorageKey {
  demand(bytes.length <= longestStorageKey, `${bytes.length} bytes; the longest TPM2B_PUBLIC is ${longestStorageKey}`)
  const outer = new TpmReader(bytes)
  const size = outer.uint16('the size')
  demand(size === outer.left, `the size says ${size} bytes, ${outer.left} follow`)
  const fields = new TpmReader(bytes.subarray(2))

  expect(fields.uint16('type'), algorithm.rsa, 'type (RSA)')
  expect(fields.uint16('nameAlg'), algorithm.sha256, 'nameAlg (SHA-256)')
  const attributes = fields.uint32('objectAttributes')
  const storage = attribute.restricted | attribute.decrypt
  demand((attributes & storage) === storage, 'the key is not a restricted decryption key')
  demand((attributes & attribute.sign) === 0, 'the key may sign')
  const policy = fields.sized('authPolicy')
  demand(policy.length === 0 || policy.length === 32, `authPolicy has ${policy.length} bytes`)
  expect(fields.uint16('symmetric'), algorithm.aes, 'symmetric algorithm (AES)')
  expect(fields.uint16('symmetric key bits'), 128, 'symmetric key bits')
  expect(fields.uint16('symmetric mode'), algorithm.cfb, 'symmetric mode (CFB)')
  expect(fields.uint16('scheme'), algorithm.null, 'scheme (NULL)')
  const modulusBits = fields.uint16('key bits')
  demand([1024, 2048, 3072, 4096].includes(modulusBits), `an RSA key of ${modulusBits} bits`)
  const exponent = fields.uint32('exponent')
  demand(exponent === 0 || exponent === 65537, `exponent ${exponent}`)
  const modulus = fields.sized('modulus')
  demand(modulus.length * 8 === modulusBits, `the modulus has ${modulus.length} bytes, key bits are ${modulusBits}`)
  demand((modulus[0]! & 0x80) !== 0 && (modulus.at(-1)! & 1) !== 0, 'the modulus is not one of an RSA key')
  demand(fields.left === 0, `${fields.left} bytes follow the modulus`)

  let publicKey: KeyObject | undefined
  return {
    bytes,
    name: nameOf(bytes.subarray(2)),
    modulusBits,
    get publicKey() {
      return (publicKey ??= rsaPublicKey(modulus))
    },
  }
}

/** The name of an object: SHA-256's identifier and the digest of its TPMT_PUBLIC. [TPM 2.0 Part 1 §16] */
export function nameOf(publicArea: Buffer): Buffer {
  return Buffer.concat([uint16(algorithm.sha256), createHash('sha256').update(publicArea).digest()])
}

function rsaPublicKey(modulus: Buffer): KeyObject {
  const jwk = { kty: 'RSA', n: modulus.toString('base64url'), e: 'AQAB' }
  return createPublicKey({ key: jwk, format: 'jwk' })
}

function expect(found: number, wanted: number, what: string): void {
  demand(found === wanted, `${what} is ${found}, not ${wanted}`)
}
