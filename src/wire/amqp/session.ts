import { Gathered } from '../../base/gathered.ts'
import { uncounted, type Account } from '../../base/memory.ts'
import { demand, ProtocolViolation } from './decoding.ts'
import {
  boolean,
  described,
  list,
  nothing,
  string,
  ubyte,
  uint,
  ulong,
  ushort,
  binary,
  type Encoded,
} from './encoding.ts'
import { readMessage, writeReply } from './message.ts'
import {
  code,
  errorValue,
  readAttach,
  readFlow,
  readTransfer,
  required,
  attachedBytes,
  type AmqpError,
  type Attach,
  type Flow,
} from './performatives.ts'
import type { AmqpClient, AmqpLimits, AmqpLink, AmqpOutcome } from './service.ts'

/** What a session needs of its connection. */
export interface Outlet {
  readonly send: (
    channel: number,
    performative: number,
    fields: readonly (Encoded | undefined)[],
    payload?: Buffer,
  ) => void
  /** Largest frame that the client reads. */
  readonly clientFrameBytes: number
  /** Ends the whole connection, and tells the client why. */
  readonly close: (error: AmqpError) => void
  /** Does something outside of the turn of a frame: the connection ends with what it throws. */
  readonly guard: (task: () => void | Promise<void>) => Promise<void>
  readonly memory?: Account | undefined
}

/** The client sends to us: its requests. */
interface Incoming {
  readonly link: AmqpLink
  readonly bytes: number
  credit: number
  deliveryCount: number
  delivery: Delivery | undefined
}

interface Delivery {
  readonly id: number
  readonly settled: boolean
  readonly message: Gathered
}

/** The client receives from us: its answers. */
interface Outgoing {
  readonly settled: boolean
  readonly bytes: number
  credit: number
  deliveryCount: number
}

const window = 2048
const fullCredit = 10
const highestHandle = 15
/** Answers that wait for a link or its credit; a client that only asks and never takes is closed. */
const mostWaiting = 16
/** Bytes that a delivery or a link takes beside what was sent for it. */
const overhead = 1024
/** Room for the frame header and the fields of a TRANSFER. */
const transferOverhead = 64

/** The server's end of one AMQP session and its links. Throws ProtocolViolation for whatever a client must not do. */
export class Session {
  readonly #channel: number
  readonly #outlet: Outlet
  readonly #client: AmqpClient
  readonly #limits: AmqpLimits
  readonly #memory: Account
  readonly #incoming = new Map<number, Incoming>()
  readonly #outgoing = new Map<number, Outgoing>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #replies: Buffer[] = []
  #requests: Promise<void> = Promise.resolve()
  /** Deliveries that are not answered yet, and what they take together. */
  readonly #waiting = new Set<Delivery>()
  #waitingBytes = 0
  #ended = false
  #nextIncomingId: number
  #incomingWindow = window
  #nextOutgoingId = 0
  #nextDeliveryId = 0
  #remoteWindow: number

  /** Begins the session: `fields` are those of the client's BEGIN. */
  constructor(channel: number, fields: readonly Encoded[], outlet: Outlet, client: AmqpClient, limits: AmqpLimits) {
    this.#channel = channel
    this.#outlet = outlet
    this.#client = client
    this.#limits = limits
    this.#memory = outlet.memory ?? uncounted
    demand(fields[0] === undefined || fields[0][0] === nothing[0], 'BEGIN answers a session that was not offered')
    this.#nextIncomingId = required(fields[1], 'the next-outgoing-id of BEGIN')
    this.#remoteWindow = required(fields[2], 'the incoming-window of BEGIN')
    this.#send(code.begin, [ushort(channel), uint(0), uint(window), uint(window), uint(highestHandle)])
  }

  attach(fields: readonly Encoded[]): void {
    const attach = readAttach(fields)
    const { handle } = attach
    demand(handle <= highestHandle, `handle ${handle} is above the highest, ${highestHandle}`)
    if (this.#incoming.has(handle) || this.#outgoing.has(handle))
      throw new ProtocolViolation('amqp:session:handle-in-use', `handle ${handle} is attached already`)
    const { client, address, properties } = attach
    const link: AmqpLink = { client, address, properties }
    const bytes = overhead + attachedBytes(attach)
    const error = this.#client.attach(link)
    if (error) return this.#outlet.close(error)
    this.#sendAttach(attach)
    if (client === 'sends') {
      const deliveryCount = attach.initialDeliveryCount
      this.#memory.count(bytes)
      this.#incoming.set(handle, { link, bytes, credit: fullCredit, deliveryCount, delivery: undefined })
      return this.#sendFlow(uint(handle), deliveryCount, fullCredit)
    }
    this.#memory.count(bytes)
    this.#outgoing.set(handle, { settled: attach.senderSettleMode === 1, bytes, credit: 0, deliveryCount: 0 })
  }

  flow(fields: readonly Encoded[]): void {
    const flow = readFlow(fields)
    const unsent = serial((flow.nextIncomingId ?? 0) + flow.incomingWindow - this.#nextOutgoingId)
    this.#remoteWindow = Math.min(unsent, 0x7fffffff)
    const link = flow.handle === undefined ? undefined : this.#outgoing.get(flow.handle)
    if (link) link.credit = Math.min(serial(flow.deliveryCount + flow.linkCredit - link.deliveryCount), 0x7fffffff)
    this.#sendReplies()
    if (flow.handle !== undefined && link && (flow.drain || flow.echo)) this.#answerFlow(flow, flow.handle, link)
    else if (flow.echo) this.#sendFlow()
  }

  transfer(fields: readonly Encoded[], payload: Buffer): void {
    const { handle, deliveryId, settled, more, aborted } = readTransfer(fields)
    const incoming = this.#incoming.get(handle)
    if (!incoming)
      throw new ProtocolViolation('amqp:session:unattached-handle', `no link to send on has handle ${handle}`)
    this.#nextIncomingId = serial(this.#nextIncomingId + 1)
    this.#countTransfer()
    incoming.delivery ??= this.#newDelivery(incoming, deliveryId, settled)
    const { delivery } = incoming
    delivery.message.push(payload)
    this.#waitingBytes += payload.length
    if (delivery.message.length > this.#limits.messageBytes)
      throw new ProtocolViolation('amqp:link:message-size-exceeded', `the limit is ${this.#limits.messageBytes} bytes`)
    if (this.#waitingBytes > 4 * (this.#limits.messageBytes + overhead))
      throw new ProtocolViolation('amqp:resource-limit-exceeded', 'too much waits to be answered')
    if (more && !aborted) return
    incoming.delivery = undefined
    if (aborted) this.#forget(delivery)
    else this.#requests = this.#requests.then(() => this.#outlet.guard(() => this.#answer(incoming, delivery, handle)))
  }

  detach(fields: readonly Encoded[]): void {
    const handle = required(fields[0], 'the handle of DETACH')
    const link = this.#incoming.get(handle) ?? this.#outgoing.get(handle)
    if (!link) return
    this.#incoming.delete(handle)
    this.#outgoing.delete(handle)
    this.#memory.count(-link.bytes)
    if ('delivery' in link && link.delivery) this.#forget(link.delivery)
    this.#send(code.detach, [uint(handle), boolean(true)])
  }

  /** Forget everything; nothing is sent any more. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    for (const timer of this.#timers) clearTimeout(timer)
    this.#replies = []
    for (const { bytes } of [...this.#incoming.values(), ...this.#outgoing.values()]) this.#memory.count(-bytes)
    for (const { delivery } of this.#incoming.values()) if (delivery) this.#forget(delivery)
  }

  #newDelivery(incoming: Incoming, id: number | undefined, settled: boolean): Delivery {
    demand(id !== undefined, 'the first TRANSFER of a delivery has no delivery-id')
    if (incoming.credit === 0)
      throw new ProtocolViolation('amqp:link:transfer-limit-exceeded', 'the link has no credit')
    incoming.credit--
    incoming.deliveryCount = serial(incoming.deliveryCount + 1)
    const delivery = { id, settled, message: new Gathered(this.#memory) }
    this.#waiting.add(delivery)
    this.#waitingBytes += overhead
    this.#memory.count(overhead)
    return delivery
  }

  async #answer(incoming: Incoming, delivery: Delivery, handle: number): Promise<void> {
    if (this.#ended) return this.#forget(delivery)
    const message = readMessage(delivery.message.view())
    const outcome = await this.#client.request(message, incoming.link).finally(() => this.#forget(delivery))
    if (this.#ended) return
    if (!delivery.settled) this.#settle(delivery.id, outcome)
    if (incoming.credit <= fullCredit / 2 && this.#incoming.get(handle) === incoming) {
      incoming.credit = fullCredit
      this.#sendFlow(uint(handle), incoming.deliveryCount, fullCredit)
    }
    if (!('rejected' in outcome) && outcome.reply) this.#replyLater(writeReply(outcome.reply, message.correlationId))
  }

  /** What was sent for it is not held any more. */
  #forget(delivery: Delivery): void {
    if (!this.#waiting.delete(delivery)) return
    this.#waitingBytes -= delivery.message.length + overhead
    this.#memory.count(-overhead)
    delivery.message.clear()
  }

  #settle(id: number, outcome: AmqpOutcome): void {
    const state =
      'rejected' in outcome
        ? described(code.rejected, list([errorValue(outcome.rejected)]))
        : described(code.accepted, list([]))
    this.#send(code.disposition, [boolean(true), uint(id), nothing, boolean(true), state])
  }

  #replyLater(reply: Buffer): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#replies.push(reply)
      void this.#outlet.guard(() => this.#sendReplies())
    }, this.#limits.replyDelay)
    this.#timers.add(timer)
    if (this.#timers.size + this.#replies.length > mostWaiting)
      throw new ProtocolViolation('amqp:resource-limit-exceeded', 'too many replies wait to be taken')
  }

  /** As many as the client has granted credit and window for. The first link that it receives on takes them all. */
  #sendReplies(): void {
    const [first] = this.#outgoing
    if (!first) return
    const [handle, link] = first
    const room = this.#outlet.clientFrameBytes - transferOverhead
    for (let reply = this.#replies[0]; reply && link.credit > 0; reply = this.#replies[0]) {
      const frames = Math.ceil(reply.length / room)
      if (frames > this.#remoteWindow) return
      this.#replies.shift()
      const deliveryId = this.#nextDeliveryId
      this.#nextDeliveryId = serial(deliveryId + 1)
      for (let at = 0; at < reply.length; at += room) {
        const more = boolean(at + room < reply.length)
        const fields = [uint(handle), uint(deliveryId), tag(deliveryId), uint(0), boolean(link.settled), more]
        this.#send(code.transfer, fields, reply.subarray(at, at + room))
      }
      link.credit--
      link.deliveryCount = serial(link.deliveryCount + 1)
      this.#nextOutgoingId = serial(this.#nextOutgoingId + frames)
      this.#remoteWindow -= frames
    }
  }

  #answerFlow(flow: Flow, handle: number, link: Outgoing): void {
    if (flow.drain) {
      link.deliveryCount = serial(link.deliveryCount + link.credit)
      link.credit = 0
    }
    this.#sendFlow(uint(handle), link.deliveryCount, link.credit, flow.drain)
  }

  #countTransfer(): void {
    if (--this.#incomingWindow < 0)
      throw new ProtocolViolation('amqp:session:window-violation', 'a TRANSFER came outside the window')
    if (this.#incomingWindow > window / 2) return
    this.#incomingWindow = window
    this.#sendFlow()
  }

  #sendFlow(handle?: Encoded, deliveryCount?: number, credit?: number, drain = false): void {
    const link = handle && [handle, uint(deliveryCount ?? 0), uint(credit ?? 0), nothing, boolean(drain)]
    const session = [uint(this.#nextIncomingId), uint(this.#incomingWindow), uint(this.#nextOutgoingId), uint(window)]
    this.#send(code.flow, [...session, ...(link ?? [])])
  }

  #sendAttach(attach: Attach): void {
    const isReceiver = attach.client === 'sends'
    this.#send(code.attach, [
      string(attach.name),
      uint(attach.handle),
      boolean(isReceiver),
      ubyte(attach.senderSettleMode),
      ubyte(attach.receiverSettleMode),
      attach.source,
      attach.target,
      nothing, // unsettled
      nothing, // incomplete-unsettled
      isReceiver ? nothing : uint(0), // initial-delivery-count
      ulong(this.#limits.messageBytes),
    ])
  }

  #send(performative: number, fields: readonly (Encoded | undefined)[], payload?: Buffer): void {
    if (!this.#ended) this.#outlet.send(this.#channel, performative, fields, payload)
  }
}

/** Serial numbers wrap. [RFC 1982] */
function serial(number: number): number {
  return number >>> 0
}

function tag(deliveryId: number): Encoded {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(deliveryId)
  return binary(bytes)
}
