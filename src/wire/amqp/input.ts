import { Gathered } from '../../base/gathered.ts'
import type { Account } from '../../base/memory.ts'
import { ProtocolViolation } from './decoding.ts'

/** The stream is closed; whoever waited for bytes need not wait any more. */
export class InputEnded extends Error {
  override readonly name = 'InputEnded'
}

export interface Frame {
  /** 0 for AMQP, 1 for SASL. */
  readonly type: number
  readonly channel: number
  /** Performative and payload; empty in a frame that only shows life. */
  readonly body: Buffer
}

/**
 * Bytes as they arrive, taken in the sizes that the protocol says. It asks the stream to pause when more is held than is being
 * waited for, so that a peer that talks while it is not listened to fills its own buffers.
 */
export class Input {
  readonly #flow: { pause(): void; resume(): void }
  readonly #held: Gathered
  #ended = false
  #waiting: { length: number; resolve: (bytes: Buffer) => void; reject: (error: Error) => void } | undefined

  constructor(flow: { pause(): void; resume(): void }, memory?: Account) {
    this.#flow = flow
    this.#held = new Gathered(memory)
  }

  push(chunk: Buffer): void {
    if (this.#ended || chunk.length === 0) return
    this.#held.push(chunk)
    const waiting = this.#waiting
    if (!waiting) return this.#flow.pause()
    if (this.#held.length < waiting.length) return
    this.#waiting = undefined
    waiting.resolve(this.#held.take(waiting.length))
  }

  end(): void {
    this.#ended = true
    this.#held.clear()
    this.#waiting?.reject(new InputEnded())
    this.#waiting = undefined
    // A stream that is not read never hears the other side close, and would stay for good.
    this.#flow.resume()
  }

  /** The next bytes, exactly that many. Rejects with InputEnded. One taker at a time. */
  take(length: number): Promise<Buffer> | Buffer {
    if (this.#ended) throw new InputEnded()
    if (this.#held.length >= length) return this.#held.take(length)
    this.#flow.resume()
    return new Promise((resolve, reject) => (this.#waiting = { length, resolve, reject }))
  }

  /** The next frame. Rejects with InputEnded, or with ProtocolViolation as soon as its size is known to be wrong. */
  async frame(limit: number): Promise<Frame> {
    const size = (await this.take(4)).readUInt32BE(0)
    if (size < 8 || size > limit) throw framing(`a frame of ${size} bytes; the limit is ${limit}`)
    const rest = await this.take(size - 4)
    const offset = rest[0]! * 4
    if (offset < 8 || offset > size) throw framing(`a frame of ${size} bytes has its body at ${offset}`)
    return { type: rest[1]!, channel: rest.readUInt16BE(2), body: rest.subarray(offset - 4) }
  }
}

function framing(what: string): ProtocolViolation {
  return new ProtocolViolation('amqp:connection:framing-error', what)
}
