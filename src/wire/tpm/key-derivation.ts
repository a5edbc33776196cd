import { createCipheriv, createHmac, createSecretKey } from 'node:crypto'
import { uint32 } from './structure-reader.ts'

const none: Buffer = Buffer.alloc(0)

/** The TPM's KDFa with HMAC-SHA256, for up to 256 bits (one round). [TPM 2.0 Part 1 §11.4.10.2] */
export function kdfa(key: Buffer, label: string, bits: 128 | 256, contextU = none, contextV = none): Buffer {
  const input = Buffer.concat([uint32(1), Buffer.from(`${label}\0`, 'ascii'), contextU, contextV, uint32(bits)])
  return hmac(key, input).subarray(0, bits / 8)
}

/** HMAC-SHA256. */
function hmac(key: Buffer, message: Buffer): Buffer {
  return createHmac('sha256', createSecretKey(key)).update(message).digest()
}

/** AES-128-CFB with an initialisation vector of zeroes, as the TPM protects what it stores and imports. */
export function encrypt(key: Buffer, plain: Buffer): Buffer {
  const cipher = createCipheriv('aes-128-cfb', key, Buffer.alloc(16))
  return Buffer.concat([cipher.update(plain), cipher.final()])
}

/**
 * The TPM's outer protection under a seed: the content encrypted, with an HMAC over it and the name of the object it belongs
 * to in front. The same for credentials and for duplicated keys. [TPM 2.0 Part 1 §22.4]
 */
export function protect(seed: Buffer, name: Buffer, content: Buffer): { integrity: Buffer; encrypted: Buffer } {
  const encrypted = encrypt(kdfa(seed, 'STORAGE', 128, name), content)
  return { encrypted, integrity: hmac(kdfa(seed, 'INTEGRITY', 256), Buffer.concat([encrypted, name])) }
}
