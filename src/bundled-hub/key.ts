import { createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto'
import { inspect } from 'node:util'
import { bytesOfBase64 } from '../base/base64.ts'

/** A symmetric key that cannot be shown by accident: printing, JSON and inspection say `[key]`; only `reveal` gives it. */
export class Key {
  readonly #base64: string
  #key: KeyObject | undefined

  private constructor(base64: string) {
    this.#base64 = base64
  }

  /** The key written as base64 of 16 to 64 bytes; undefined if the text is not. [service-wire §14.1] */
  static fromBase64(text: string): Key | undefined {
    const bytes = bytesOfBase64(text)
    if (!bytes || bytes.length < 16 || bytes.length > 64) return undefined
    return new Key(bytes.toString('base64'))
  }

  /** A key as our own database holds it. */
  static stored(base64: string): Key {
    return new Key(base64)
  }

  /** 32 random bytes. [service-wire §13.4] */
  static generate(): Key {
    return new Key(randomBytes(32).toString('base64'))
  }

  /** HMAC-SHA256 under this key. A KeyObject is kept: hashing with a Buffer key is slower on Node 24. */
  hmac(message: string): Buffer {
    this.#key ??= createSecretKey(this.#base64, 'base64')
    return createHmac('sha256', this.#key).update(message).digest()
  }

  /** Signs as the Event Hubs SDKs do: under the base64 text itself, which they do not decode. [service-wire §13.5] */
  readonly asText = { hmac: (message: string) => createHmac('sha256', this.#base64).update(message).digest() }

  reveal(): string {
    return this.#base64
  }

  toString(): string {
    return '[key]'
  }

  toJSON(): string {
    return '[key]'
  }

  [inspect.custom](): string {
    return '[key]'
  }
}
