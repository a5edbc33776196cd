import { perUnit, uncounted, type Account } from './memory.ts'

const nothing = Buffer.alloc(0)
const smallest = 256
/** Bytes that a piece of a larger buffer may keep from being freed beside its own twofold. */
const mostWasted = 4096

/**
 * Bytes as they arrive, in one buffer however small the pieces are, counted by what they take in memory. A single piece is kept
 * as it came. What was handed out is never written over.
 */
export class Gathered {
  readonly #memory: Account
  #bytes: Buffer = nothing
  #from = 0
  #to = 0
  #counted = 0

  constructor(memory: Account = uncounted) {
    this.#memory = memory
  }

  get length(): number {
    return this.#to - this.#from
  }

  push(piece: Buffer): void {
    if (piece.length === 0) return
    if (this.length === 0) return this.#hold(ownBytes(piece))
    if (this.#bytes.length - this.#to < piece.length) this.#grow(piece.length)
    this.#to += piece.copy(this.#bytes, this.#to)
  }

  /** All that is there, which stays there. */
  view(): Buffer {
    return this.#bytes.subarray(this.#from, this.#to)
  }

  /** The first bytes, which must be there. They are held no longer. */
  take(length: number): Buffer {
    const taken = this.#bytes.subarray(this.#from, this.#from + length)
    this.#from += length
    if (this.#from === this.#to) this.clear()
    else if (isMostlyWaste(this.view())) this.#hold(copyOf(this.view()))
    return taken
  }

  /** Hold nothing any more. */
  clear(): void {
    this.#bytes = nothing
    this.#from = this.#to = 0
    this.#count(0)
  }

  #hold(bytes: Buffer): void {
    this.#bytes = bytes
    this.#from = 0
    this.#to = bytes.length
    this.#count(bytes.buffer.byteLength + perUnit)
  }

  #grow(more: number): void {
    const held = this.view()
    const capacity = Math.max(smallest, 2 * (held.length + more))
    const larger = Buffer.allocUnsafeSlow(capacity)
    held.copy(larger)
    this.#hold(larger)
    this.#to = held.length
  }

  #count(bytes: number): void {
    const change = bytes - this.#counted
    this.#counted = bytes
    if (change !== 0) this.#memory.count(change)
  }
}

/** These bytes, to be kept: in a buffer of their own if they are a small part of a large one, which they would keep in memory. */
export function ownBytes(bytes: Buffer): Buffer {
  return isMostlyWaste(bytes) ? copyOf(bytes) : bytes
}

/** Not in the pool that small buffers share. */
function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

function isMostlyWaste(bytes: Buffer): boolean {
  return bytes.buffer.byteLength > 2 * bytes.length + mostWasted
}
