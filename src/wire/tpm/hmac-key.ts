import { createHash } from 'node:crypto'
import { algorithm, attribute } from './constants.ts'
import { encrypt, protect } from './key-derivation.ts'
import { sized, uint16, uint32 } from './structure-reader.ts'
import { nameOf } from './storage-key.ts'

/** An HMAC-SHA256 key as a TPM object. */
export interface HmacKeyObject {
  /** TPMT_PUBLIC, 48 bytes. */
  readonly publicArea: Buffer
  readonly name: Buffer
  /** TPM2B_SENSITIVE: holds the key itself. */
  readonly sensitive: Buffer
}

/** Longest key that TPM2_Import takes: the block size of HMAC-SHA256. [device-wire §5.4] */
export const longestHmacKey = 64

/**
 * The object that a TPM will hold for this key, bound by `seedValue` (32 bytes). Throws RangeError for a key that no TPM
 * would import: empty, or longer than `longestHmacKey`.
 */
export function hmacKeyObject(key: Buffer, seedValue: Buffer): HmacKeyObject {
  if (key.length < 1 || key.length > longestHmacKey)
    throw new RangeError(`a TPM imports HMAC keys of 1 to ${longestHmacKey} bytes; this one has ${key.length}`)
  const unique = createHash('sha256').update(seedValue).update(key).digest()
  const publicArea = Buffer.concat([
    uint16(algorithm.keyedHash),
    uint16(algorithm.sha256),
    uint32(attribute.sign | attribute.noDictionaryAttackProtection | attribute.userWithAuth),
    uint16(0), // no policy
    uint16(algorithm.hmac),
    uint16(algorithm.sha256),
    sized(unique),
  ])
  const noAuthorization = uint16(0)
  const sensitive = [uint16(algorithm.keyedHash), noAuthorization, sized(seedValue), sized(key)]
  return { publicArea, name: nameOf(publicArea), sensitive: sized(Buffer.concat(sensitive)) }
}

/** The sensitive area under the inner wrapper of a duplicate: encrypted with the inner key, its digest in front. [device-wire §5.5 step 4] */
export function innerWrapped(object: HmacKeyObject, innerKey: Buffer): Buffer {
  const digest = createHash('sha256').update(object.sensitive).update(object.name).digest()
  return encrypt(innerKey, Buffer.concat([sized(digest), object.sensitive]))
}

/** The content of the duplicate's TPM2B_PRIVATE: inner and outer wrapper. [device-wire §5.5 step 5] */
export function duplicated(object: HmacKeyObject, innerKey: Buffer, outerSeed: Buffer): Buffer {
  const { integrity, encrypted } = protect(outerSeed, object.name, innerWrapped(object, innerKey))
  return Buffer.concat([sized(integrity), encrypted])
}
