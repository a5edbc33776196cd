import { ProtocolViolation } from './decoding.ts'
import { boolean, nothing, uint } from './encoding.ts'
import { overhead, serial, type LinkOutlet } from './link-outlet.ts'
import { code, type AmqpError, type Disposition, type Flow } from './performatives.ts'
import type { AmqpGiver, AmqpSender, Delivered } from './service.ts'

interface Waiting {
  readonly message: Buffer
  readonly settled: boolean
  readonly settle: (delivered: Delivered) => void
}

/** Messages that wait for credit; a client that does not take them is closed. */
const mostWaiting = 64
/** Deliveries of which the client has not said what became of them. */
const mostUnsettled = 1024

/** A link that the client receives on: what is sent waits for its credit, and for what the client says became of it. */
export class OutgoingLink implements AmqpSender {
  readonly #handle: number
  readonly #settled: boolean
  readonly #outlet: LinkOutlet
  readonly #unsettled = new Map<number, Waiting['settle']>()
  #giver: AmqpGiver = {}
  #waiting: Waiting[] = []
  #credit = 0
  #deliveryCount = 0
  #ended = false

  /** @param settled the client wants every delivery settled when it is sent */
  constructor(handle: number, settled: boolean, outlet: LinkOutlet) {
    this.#handle = handle
    this.#settled = settled
    this.#outlet = outlet
  }

  /** From now on the client's credit is told to whoever gives. */
  attached(giver: AmqpGiver): void {
    this.#giver = giver
  }

  free(): number {
    // What waits though there is credit waits for a client that is slow to read: more would only be held for it.
    if (this.#ended || this.#waiting.length > 0) return 0
    return Math.min(this.#credit, mostUnsettled - this.#unsettled.size, mostWaiting)
  }

  send(message: Buffer, { settled = this.#settled }: { readonly settled?: boolean } = {}): Promise<Delivered> {
    if (this.#ended) return Promise.resolve('lost')
    return new Promise((settle) => {
      this.#waiting.push({ message, settled, settle })
      this.#outlet.memory.count(message.length + overhead)
      this.advance()
      if (this.#waiting.length > mostWaiting) void this.#outlet.guard(tooManyWait)
    })
  }

  detach(error: AmqpError): void {
    if (!this.#ended) this.#outlet.detach(this.#handle, error)
  }

  flow(flow: Flow): void {
    this.#credit = Math.min(serial(flow.deliveryCount + flow.linkCredit - this.#deliveryCount), 0x7fffffff)
    this.resume()
    if (flow.drain) {
      this.#deliveryCount = serial(this.#deliveryCount + this.#credit)
      this.#credit = 0
    }
    if (flow.drain || flow.echo) {
      const { drain } = flow
      this.#outlet.sendFlow({ handle: this.#handle, deliveryCount: this.#deliveryCount, credit: this.#credit, drain })
    }
  }

  /** Send what waits, and say that more is taken if it is. */
  resume(): void {
    this.advance()
    if (this.free() > 0) this.#giver.ready?.()
  }

  /** Send what waits, as far as credit and window go. */
  advance(): void {
    for (let next = this.#waiting[0]; next && this.#credit > 0; next = this.#waiting[0]) {
      if (!next.settled && this.#unsettled.size >= mostUnsettled) return
      const id = this.#outlet.sendMessage(this.#handle, next.message, next.settled)
      if (id === undefined) return
      this.#waiting.shift()
      this.#credit--
      this.#deliveryCount = serial(this.#deliveryCount + 1)
      this.#outlet.memory.count(-next.message.length - (next.settled ? overhead : 0))
      if (next.settled) next.settle('accepted')
      else this.#unsettled.set(id, next.settle)
    }
  }

  /** Only what is unsettled here is looked at, however many deliveries the client names. */
  disposition({ first, last, settled, state, outcome }: Disposition): void {
    for (const [id, settle] of this.#unsettled) {
      if (serial(id - first) > serial(last - first)) continue
      if (outcome === undefined && !settled) continue
      this.#unsettled.delete(id)
      this.#outlet.memory.count(-overhead)
      if (!settled) this.#outlet.send(code.disposition, [boolean(false), uint(id), nothing, boolean(true), state])
      settle(outcome ?? 'accepted')
    }
  }

  /** Forget everything; nothing is sent any more. `told`: the giver hears of it. */
  end(told: boolean): void {
    if (this.#ended) return
    this.#ended = true
    for (const { message, settle } of this.#waiting) {
      this.#outlet.memory.count(-message.length - overhead)
      settle('lost')
    }
    for (const settle of this.#unsettled.values()) settle('lost')
    this.#outlet.memory.count(-overhead * this.#unsettled.size)
    this.#waiting = []
    this.#unsettled.clear()
    if (told) this.#giver.detached?.()
  }
}

function tooManyWait(): never {
  throw new ProtocolViolation('amqp:resource-limit-exceeded', 'too many messages wait to be taken')
}
