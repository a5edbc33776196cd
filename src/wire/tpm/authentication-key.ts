import { randomBytes } from 'node:crypto'
import { encryptSeed, makeCredential, type Random } from './make-credential.ts'
import { duplicated, hmacKeyObject } from './hmac-key.ts'
import { encrypt } from './key-derivation.ts'
import { sized } from './structure-reader.ts'
import type { StorageKey } from './storage-key.ts'

/** What is wrapped, and for which TPM. */
export interface WrappedKey {
  readonly endorsementKey: StorageKey
  readonly storageRootKey: StorageKey
  /** 1 to 64 bytes; RangeError otherwise. */
  readonly key: Buffer
  /** Short text for the sixth part, which Java decrypts: the host that the key is for. [device-wire §5.4] */
  readonly uri: string
}

/**
 * The `authenticationKey` that every SDK activates: an HMAC key that only the TPM with this endorsement key can import, under
 * this storage root key. Six sized parts. [device-wire §5.4, §5.5]
 */
export function authenticationKey(
  { endorsementKey, storageRootKey, key, uri }: WrappedKey,
  random: Random = randomBytes,
): Buffer {
  const innerKey = random(16)
  const credential = makeCredential(endorsementKey, storageRootKey.name, innerKey, random)
  const object = hmacKeyObject(key, random(32))
  const outerSeed = random(32)
  return Buffer.concat([
    sized(credential.idObject),
    sized(credential.secret),
    sized(duplicated(object, innerKey, outerSeed)),
    sized(encryptSeed(storageRootKey, outerSeed, 'DUPLICATE')),
    sized(object.publicArea),
    sized(encrypt(innerKey, Buffer.from(uri, 'ascii'))),
  ])
}
