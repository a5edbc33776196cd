import { uncounted, type Account } from '../../base/memory.ts'
import { demand, ProtocolViolation } from './decoding.ts'
import { binary, boolean, nothing, string, ubyte, uint, ulong, ushort, type Encoded } from './encoding.ts'
import { IncomingLink } from './incoming-link.ts'
import { overhead, serial, type LinkOutlet, type LinkState } from './link-outlet.ts'
import { OutgoingLink } from './outgoing-link.ts'
import {
  attachedBytes,
  code,
  errorValue,
  readAttach,
  readDisposition,
  readFlow,
  readTransfer,
  required,
  type AmqpError,
  type Attach,
} from './performatives.ts'
import type { AmqpClient, AmqpLimits, AmqpLink, LinkRefused } from './service.ts'

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
  /** True while so much waits to be read by the client that messages had better wait too. */
  readonly isCongested: () => boolean
  /** Ends the whole connection, and tells the client why. */
  readonly close: (error: AmqpError) => void
  /** Does something outside of the turn of a frame: the connection ends with what it throws. */
  readonly guard: (task: () => void | Promise<void>) => Promise<void>
  readonly memory?: Account | undefined
}

const window = 2048
const highestHandle = 15
/** Milliseconds until a client that is slow to read is looked at again. */
const congestion = 20
/** Room for the frame header and the fields of a TRANSFER. */
const transferOverhead = 64

/** The server's end of one AMQP session and its links. Throws ProtocolViolation for whatever a client must not do. */
export class Session {
  readonly #channel: number
  readonly #outlet: Outlet
  readonly #client: AmqpClient
  readonly #limits: AmqpLimits
  readonly #memory: Account
  readonly #links: LinkOutlet
  readonly #incoming = new Map<number, IncomingLink>()
  readonly #outgoing = new Map<number, OutgoingLink>()
  /** What is kept of each link, by handle. */
  readonly #bytes = new Map<number, number>()
  #ended = false
  #resuming: NodeJS.Timeout | undefined
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
    this.#links = {
      send: this.#send.bind(this),
      sendFlow: this.#sendFlow.bind(this),
      sendMessage: this.#sendMessage.bind(this),
      detach: this.#detach.bind(this),
      guard: outlet.guard,
      memory: this.#memory,
    }
    demand(fields[0] === undefined || fields[0][0] === nothing[0], 'BEGIN answers a session that was not offered')
    this.#nextIncomingId = required(fields[1], 'the next-outgoing-id of BEGIN')
    this.#remoteWindow = required(fields[2], 'the incoming-window of BEGIN')
    this.#memory.count(overhead)
    this.#send(code.begin, [ushort(channel), uint(0), uint(window), uint(window), uint(highestHandle)])
  }

  attach(fields: readonly Encoded[]): void {
    const attach = readAttach(fields)
    const { handle } = attach
    demand(handle <= highestHandle, `handle ${handle} is above the highest, ${highestHandle}`)
    if (this.#bytes.has(handle))
      throw new ProtocolViolation('amqp:session:handle-in-use', `handle ${handle} is attached already`)
    if (attach.client === 'sends') this.#attachIncoming(attach)
    else this.#attachOutgoing(attach)
  }

  flow(fields: readonly Encoded[]): void {
    const flow = readFlow(fields)
    const unsent = serial((flow.nextIncomingId ?? 0) + flow.incomingWindow - this.#nextOutgoingId)
    this.#remoteWindow = Math.min(unsent, 0x7fffffff)
    const link = flow.handle === undefined ? undefined : this.#outgoing.get(flow.handle)
    for (const outgoing of this.#outgoing.values()) if (outgoing !== link) outgoing.resume()
    if (link) link.flow(flow)
    else if (flow.echo) this.#sendFlow()
  }

  transfer(fields: readonly Encoded[], payload: Buffer): void {
    const transfer = readTransfer(fields)
    const link = this.#incoming.get(transfer.handle)
    if (!link) {
      const what = `no link to send on has handle ${transfer.handle}`
      throw new ProtocolViolation('amqp:session:unattached-handle', what)
    }
    this.#nextIncomingId = serial(this.#nextIncomingId + 1)
    this.#countTransfer()
    link.transfer(transfer, payload)
  }

  disposition(fields: readonly Encoded[]): void {
    const disposition = readDisposition(fields)
    if (disposition.of === 'client') return
    for (const link of this.#outgoing.values()) link.disposition(disposition)
  }

  detach(fields: readonly Encoded[]): void {
    const handle = required(fields[0], 'the handle of DETACH')
    // Absent: the client answers our own DETACH of a link.
    if (this.#forget(handle)) this.#send(code.detach, [uint(handle), boolean(true)])
  }

  /** Forget everything; nothing is sent any more. `told`: whoever stands behind the links hears of it. */
  end(told: boolean): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#resuming)
    for (const link of [...this.#incoming.values(), ...this.#outgoing.values()]) link.end(told)
    for (const bytes of this.#bytes.values()) this.#memory.count(-bytes)
    this.#memory.count(-overhead)
  }

  #attachIncoming(attach: Attach): void {
    const { handle, initialDeliveryCount } = attach
    const taker = this.#client.takes(linkOf(attach))
    if ('refused' in taker) return this.#refuse(attach, taker)
    const { messageBytes = this.#limits.messageBytes } = taker
    this.#sendAttach(attach, messageBytes)
    this.#count(attach)
    this.#incoming.set(handle, new IncomingLink(handle, initialDeliveryCount, taker, messageBytes, this.#links))
  }

  #attachOutgoing(attach: Attach): void {
    const { handle, senderSettleMode } = attach
    const link = new OutgoingLink(handle, senderSettleMode === 1, this.#links)
    const giver = this.#client.gives(linkOf(attach), link)
    if ('refused' in giver) return this.#refuse(attach, giver)
    this.#sendAttach(attach, this.#limits.messageBytes)
    this.#count(attach)
    this.#outgoing.set(handle, link)
    link.attached(giver)
  }

  #count(attach: Attach): void {
    const bytes = overhead + attachedBytes(attach)
    this.#bytes.set(attach.handle, bytes)
    this.#memory.count(bytes)
  }

  /** A refused link is answered without a terminus at our end, and detached. [AMQP-1.0 §2.6.3] */
  #refuse(attach: Attach, { refused: error, closes }: LinkRefused): void {
    if (closes) return this.#outlet.close(error)
    const ours = attach.client === 'sends' ? 'target' : 'source'
    this.#sendAttach({ ...attach, [ours]: nothing }, this.#limits.messageBytes)
    this.#send(code.detach, [uint(attach.handle), boolean(true), errorValue(error)])
  }

  #detach(handle: number, error: AmqpError): void {
    if (this.#forget(handle)) this.#send(code.detach, [uint(handle), boolean(true), errorValue(error)])
  }

  #forget(handle: number): boolean {
    const link = this.#incoming.get(handle) ?? this.#outgoing.get(handle)
    if (!link) return false
    this.#memory.count(-(this.#bytes.get(handle) ?? 0))
    for (const handles of [this.#incoming, this.#outgoing, this.#bytes]) handles.delete(handle)
    link.end(true)
    return true
  }

  #sendMessage(handle: number, message: Buffer, settled: boolean): number | undefined {
    const room = this.#outlet.clientFrameBytes - transferOverhead
    const frames = Math.ceil(message.length / room)
    if (frames > this.#remoteWindow) return undefined
    if (this.#outlet.isCongested()) return void this.#resumeLater()
    const deliveryId = this.#nextDeliveryId
    this.#nextDeliveryId = serial(deliveryId + 1)
    for (let at = 0; at < message.length; at += room) {
      const more = boolean(at + room < message.length)
      const fields = [uint(handle), uint(deliveryId), tag(deliveryId), uint(0), boolean(settled), more]
      this.#send(code.transfer, fields, message.subarray(at, at + room))
    }
    this.#nextOutgoingId = serial(this.#nextOutgoingId + frames)
    this.#remoteWindow -= frames
    return deliveryId
  }

  #resumeLater(): void {
    this.#resuming ??= setTimeout(() => {
      this.#resuming = undefined
      void this.#outlet.guard(() => this.#outgoing.forEach((link) => link.resume()))
    }, congestion).unref()
  }

  #countTransfer(): void {
    if (--this.#incomingWindow < 0)
      throw new ProtocolViolation('amqp:session:window-violation', 'a TRANSFER came outside the window')
    if (this.#incomingWindow > window / 2) return
    this.#incomingWindow = window
    this.#sendFlow()
  }

  #sendFlow(state?: LinkState): void {
    const link = state && [uint(state.handle), uint(state.deliveryCount), uint(state.credit), nothing]
    const session = [uint(this.#nextIncomingId), uint(this.#incomingWindow), uint(this.#nextOutgoingId), uint(window)]
    this.#send(code.flow, [...session, ...(link ? [...link, boolean(state.drain ?? false)] : [])])
  }

  #sendAttach(attach: Attach, messageBytes: number): void {
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
      ulong(messageBytes),
    ])
  }

  #send(performative: number, fields: readonly (Encoded | undefined)[], payload?: Buffer): void {
    if (!this.#ended) this.#outlet.send(this.#channel, performative, fields, payload)
  }
}

function linkOf({ client, address, clientAddress, source, target, properties }: Attach): AmqpLink {
  return { client, address, clientAddress, terminus: client === 'sends' ? target : source, properties }
}

function tag(deliveryId: number): Encoded {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(deliveryId)
  return binary(bytes)
}
