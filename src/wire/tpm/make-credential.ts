import { constants, publicEncrypt } from 'node:crypto'
import { protect } from './key-derivation.ts'
import { sized } from './structure-reader.ts'
import type { StorageKey } from './storage-key.ts'

/** Gives that many bytes of randomness; passed in, so that published vectors can be computed. */
export type Random = (bytes: number) => Buffer

/** What TPM2_ActivateCredential takes. */
export interface ActivationCredential {
  /** TPMS_ID_OBJECT. */
  readonly idObject: Buffer
  /** The credential's seed, encrypted to the endorsement key. */
  readonly secret: Buffer
}

/**
 * TPM2_MakeCredential in software: only the TPM with this endorsement key can read the credential, and only while it holds the
 * object of this name. [device-wire §5.5 step 2]
 */
export function makeCredential(
  endorsementKey: StorageKey,
  name: Buffer,
  credential: Buffer,
  random: Random,
): ActivationCredential {
  const seed = random(32)
  return { idObject: idObject(seed, name, credential), secret: encryptSeed(endorsementKey, seed, 'IDENTITY') }
}

/** The TPMS_ID_OBJECT that a seed makes of a credential. */
export function idObject(seed: Buffer, name: Buffer, credential: Buffer): Buffer {
  const { integrity, encrypted } = protect(seed, name, sized(credential))
  return Buffer.concat([sized(integrity), encrypted])
}

/** A seed encrypted to a storage key: OAEP with SHA-256, its label ending in a zero byte. [TPM 2.0 Part 1 §B.4] */
export function encryptSeed(to: StorageKey, seed: Buffer, label: 'IDENTITY' | 'DUPLICATE'): Buffer {
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  return publicEncrypt(
    { key: to.publicKey, padding, oaepHash: 'sha256', oaepLabel: Buffer.from(`${label}\0`, 'ascii') },
    seed,
  )
}
