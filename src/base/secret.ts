import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'
import { inspect } from 'node:util'
import { bytesOfBase64 } from './base64.ts'

/**
 * Key material that cannot be shown by accident: printing, JSON and inspection say `[secret]`; only `reveal` gives the
 * bytes, and `equals` compares in constant time.
 */
export class Secret {
  readonly #bytes: Buffer
  #key: KeyObject | undefined

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes)
  }

  /** The secret written as base64, or undefined if the text is not canonical base64 of at least one byte. */
  static fromBase64(text: string): Secret | undefined {
    const bytes = bytesOfBase64(text.trim())
    return bytes && bytes.length > 0 ? new Secret(bytes) : undefined
  }

  /** HMAC-SHA256 under this secret. A KeyObject is kept: hashing with a Buffer key is five times slower on Node 24. */
  hmac(message: string | Uint8Array): Buffer {
    this.#key ??= createSecretKey(this.#bytes)
    return createHmac('sha256', this.#key).update(message).digest()
  }

  reveal(): Buffer {
    return this.#bytes
  }

  revealBase64(): string {
    return this.#bytes.toString('base64')
  }

  get length(): number {
    return this.#bytes.length
  }

  equals(other: Secret): boolean {
    return sameBytes(this.#bytes, other.#bytes)
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}

/** Compare in constant time; bytes of different length are simply unequal. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
