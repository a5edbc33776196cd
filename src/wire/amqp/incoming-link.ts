import { Gathered } from '../../base/gathered.ts'
import { demand, ProtocolViolation } from './decoding.ts'
import { boolean, described, list, nothing, uint } from './encoding.ts'
import { readMessage } from './message.ts'
import { code, errorValue, type Transfer } from './performatives.ts'
import type { AmqpOutcome, AmqpTaker } from './service.ts'
import { overhead, serial, type LinkOutlet } from './link-outlet.ts'

interface Delivery {
  readonly id: number
  readonly settled: boolean
  readonly format: number
  readonly message: Gathered
}

const fullCredit = 10
/** Messages of the largest size whose bytes may wait. */
const mostWaiting = 4

/** A link that the client sends on: its deliveries are put together and taken one by one. */
export class IncomingLink {
  readonly #handle: number
  readonly #taker: AmqpTaker
  readonly #outlet: LinkOutlet
  readonly #messageBytes: number
  /** Deliveries that are not answered yet, and what they take together. */
  readonly #waiting = new Set<Delivery>()
  #waitingBytes = 0
  #credit = fullCredit
  #deliveryCount: number
  #delivery: Delivery | undefined
  #answering: Promise<void> = Promise.resolve()
  #ended = false

  constructor(handle: number, deliveryCount: number, taker: AmqpTaker, messageBytes: number, outlet: LinkOutlet) {
    this.#handle = handle
    this.#deliveryCount = deliveryCount
    this.#taker = taker
    this.#messageBytes = messageBytes
    this.#outlet = outlet
    outlet.sendFlow({ handle, deliveryCount, credit: fullCredit })
  }

  transfer({ deliveryId, settled, format, more, aborted }: Transfer, payload: Buffer): void {
    this.#delivery ??= this.#newDelivery(deliveryId, settled, format)
    const delivery = this.#delivery
    delivery.message.push(payload)
    this.#waitingBytes += payload.length
    if (delivery.message.length > this.#messageBytes)
      throw new ProtocolViolation('amqp:link:message-size-exceeded', `the limit is ${this.#messageBytes} bytes`)
    if (this.#waitingBytes > mostWaiting * (this.#messageBytes + overhead))
      throw new ProtocolViolation('amqp:resource-limit-exceeded', 'too much waits to be answered')
    if (more && !aborted) return
    this.#delivery = undefined
    if (aborted) this.#forget(delivery)
    else this.#answering = this.#answering.then(() => this.#outlet.guard(() => this.#answer(delivery)))
  }

  /** The client asks how things stand. */
  echo(): void {
    this.#outlet.sendFlow({ handle: this.#handle, deliveryCount: this.#deliveryCount, credit: this.#credit })
  }

  /** Forget everything; nothing is sent any more. `told`: the taker hears of it. */
  end(told: boolean): void {
    if (this.#ended) return
    this.#ended = true
    if (this.#delivery) this.#forget(this.#delivery)
    if (told) this.#taker.detached?.()
  }

  #newDelivery(id: number | undefined, settled: boolean, format: number): Delivery {
    demand(id !== undefined, 'the first TRANSFER of a delivery has no delivery-id')
    if (this.#credit === 0) throw new ProtocolViolation('amqp:link:transfer-limit-exceeded', 'the link has no credit')
    this.#credit--
    this.#deliveryCount = serial(this.#deliveryCount + 1)
    const delivery = { id, settled, format, message: new Gathered(this.#outlet.memory) }
    this.#waiting.add(delivery)
    this.#waitingBytes += overhead
    this.#outlet.memory.count(overhead)
    return delivery
  }

  async #answer(delivery: Delivery): Promise<void> {
    if (this.#ended) return this.#forget(delivery)
    const message = readMessage(delivery.message.view(), delivery.format)
    const outcome = await this.#taker.take(message).finally(() => this.#forget(delivery))
    if (this.#ended) return
    if (!delivery.settled) this.#settle(delivery.id, outcome)
    if (this.#credit <= fullCredit / 2) {
      this.#credit = fullCredit
      this.echo()
    }
    if (!('rejected' in outcome)) outcome.afterwards?.()
  }

  /** What was sent for it is not held any more. */
  #forget(delivery: Delivery): void {
    if (!this.#waiting.delete(delivery)) return
    this.#waitingBytes -= delivery.message.length + overhead
    this.#outlet.memory.count(-overhead)
    delivery.message.clear()
  }

  #settle(id: number, outcome: AmqpOutcome): void {
    const state =
      'rejected' in outcome
        ? described(code.rejected, list([errorValue(outcome.rejected)]))
        : described(code.accepted, list([]))
    this.#outlet.send(code.disposition, [boolean(true), uint(id), nothing, boolean(true), state])
  }
}
