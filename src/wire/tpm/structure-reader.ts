/** The bytes are not the TPM structure they were taken for; `message` says which field is wrong, never its content. */
export class MalformedTpmStructure extends Error {
  override readonly name = 'MalformedTpmStructure'
}

/** Reads the big-endian fields of one TPM structure in order; running past its end is malformed. [TPM 2.0 Part 1 §4.35] */
export class TpmReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  uint16(what: string): number {
    return this.take(2, what).readUInt16BE()
  }

  uint32(what: string): number {
    return this.take(4, what).readUInt32BE()
  }

  /** A TPM2B: a 16-bit size and that many bytes. */
  sized(what: string): Buffer {
    return this.take(this.uint16(what), what)
  }

  take(length: number, what: string): Buffer {
    demand(length <= this.left, `${what} runs past the end`)
    const bytes = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return bytes
  }
}

/** Throws MalformedTpmStructure saying `what` unless the condition holds. */
export function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new MalformedTpmStructure(what)
}

/** A TPM2B: the content behind its 16-bit size. */
export function sized(content: Buffer): Buffer {
  return Buffer.concat([uint16(content.length), content])
}

export function uint16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}
