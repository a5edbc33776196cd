import type { Breach } from '../../base/breach.ts'
import type { ByteStream } from '../../base/byte-stream.ts'
import type { Peer } from '../../base/peer.ts'
import { quoted } from '../../base/printable.ts'
import { asText, asUnsigned, demand, ProtocolViolation } from './decoding.ts'
import { map, nothing, string, symbol, uint, ushort, type Encoded } from './encoding.ts'
import { Input, InputEnded, type Frame } from './input.ts'
import {
  code,
  emptyFrame,
  errorValue,
  readPerformative,
  writeFrame,
  type AmqpError,
  type Performative,
} from './performatives.ts'
import { negotiate } from './sasl.ts'
import { header, shownHeader } from './protocol-header.ts'
import type { AmqpClient, AmqpLimits, AmqpService } from './service.ts'
import { Session } from './session.ts'

const channelMax = 8191
/** Event Hubs clients begin one for each partition, and two beside. */
const mostSessions = 16
const smallestFrame = 512
/** Characters of the host name in OPEN. */
const longestHostName = 1024
/** Bytes. Whoever asks and asks and never reads is cut here. */
const mostUnsent = 1 << 20
/** Bytes. Messages wait where so much is unsent, and the largest that goes out then stays below the bound above. */
const congested = 256 << 10
const fastestHeartbeat = 500 // milliseconds, however impatient the client says it is

/**
 * The server's side of one AMQP 1.0 connection, over any byte stream: with a SASL layer or without, sessions, links, and what
 * the service takes and gives on them. Whatever breaks the protocol closes the connection and nothing else.
 */
export class AmqpConnection<Identity> {
  readonly peer: Peer
  readonly #stream: ByteStream
  readonly #service: AmqpService<Identity>
  readonly #limits: AmqpLimits
  readonly #onFault: (fault: unknown) => void
  readonly #onBreach: (breach: Breach) => void
  /** What is waited for; undefined once the client was answered to its OPEN. */
  #due: string | undefined = 'a protocol header'
  #spoke = false
  readonly #input: Input
  readonly #sessions = new Map<number, Session>()
  #client: AmqpClient | undefined
  #clientFrameBytes = smallestFrame
  #opened = false
  #closed = false
  #timer: NodeJS.Timeout
  #heartbeat: NodeJS.Timeout | undefined
  #pending: Buffer[] = []
  #unflushed = 0

  constructor(
    stream: ByteStream,
    peer: Peer,
    service: AmqpService<Identity>,
    limits: AmqpLimits,
    onFault: (fault: unknown) => void,
    onBreach: (breach: Breach) => void = () => {},
  ) {
    this.#stream = stream
    this.peer = peer
    this.#service = service
    this.#limits = limits
    this.#onFault = onFault
    this.#onBreach = onBreach
    this.#input = new Input(stream, peer.memory)
    this.#timer = setTimeout(() => this.#late(limits.openTimeout), limits.openTimeout)
    void this.#guard(() => this.#converse())
  }

  /** Feed bytes from the stream. */
  receive(chunk: Buffer): void {
    this.#spoke = true
    if (this.#opened) this.#timer.refresh()
    this.#input.push(chunk)
  }

  /** Cut the connection. */
  destroy(): void {
    this.streamClosed()
    this.#stream.destroy()
  }

  /** Send what is waiting, then close. */
  end(): void {
    if (this.#closed) return
    this.#flush()
    this.streamClosed()
    this.#stream.end()
  }

  /** To be called when the stream has closed. */
  streamClosed(): void {
    if (this.#closed) return
    // Health checks come and go without a word.
    if (this.#due && this.#spoke) this.#breach('protocol', `the connection ended while ${this.#due} was due`)
    this.#closed = true
    clearTimeout(this.#timer)
    clearInterval(this.#heartbeat)
    for (const session of this.#sessions.values()) session.end(false)
    this.#input.end()
    void this.#guard(() => this.#client?.closed())
  }

  async #converse(): Promise<void> {
    let identity: Identity | undefined
    let layer = await this.#agreeOnHeader()
    if (layer === header.sasl) {
      const mechanisms = this.#service.mechanisms(this.peer)
      const offered = [...mechanisms.keys()].join(', ')
      this.#due = `the SASL exchange (offered: ${offered})`
      identity = await negotiate(
        mechanisms,
        this.#input,
        (bytes) => this.#write(bytes),
        (name) => {
          // What becomes of one that is offered, is told by whoever offers it.
          this.#due = undefined
          if (!mechanisms.has(name))
            this.#breach('protocol', `expected a SASL mechanism of ${offered}, found ${quoted(name)}`)
        },
      )
      if (identity === undefined) return this.end()
      layer = await this.#agreeOnHeader()
    }
    if (layer !== header.amqp) return this.end()

    this.#due = 'OPEN'
    const open = await this.#next()
    demand(open.performative.code === code.open, 'the first frame is not OPEN')
    const { fields } = open.performative
    const hostName = asText(fields[1]) ?? ''
    demand(hostName.length <= longestHostName, 'the host name of OPEN is too long')
    const admission = this.#service.open(identity, this.peer, {
      hostName,
      close: (error) => this.#close(error),
      guard: this.#guard.bind(this),
    })
    this.#due = undefined
    this.#open(fields, 'refused' in admission ? admission.refused : undefined)
    if ('refused' in admission) return this.#close(admission.refused)
    this.#client = admission

    for (;;) {
      const { channel, performative } = await this.#next()
      if (performative.code === code.close) return this.#close()
      this.#dispatch(admission, channel, performative)
    }
  }

  /** Answer the client's protocol header in kind; undefined if there is none to agree on. [AMQP-1.0 §2.2] */
  async #agreeOnHeader(): Promise<Buffer | undefined> {
    const asked = await this.#input.take(8)
    const agreed = Object.values(header).find((known) => known.equals(asked))
    if (agreed) {
      this.#write(agreed)
      return agreed
    }
    this.#breach('version', `expected the protocol header of AMQP 1.0, found ${shownHeader(asked)}`)
    if (asked.toString('latin1', 0, 4) === 'AMQP') this.#write(header.amqp)
    return undefined
  }

  #late(after: number): void {
    if (this.#due) this.#breach('protocol', `${this.#due} did not come within ${after / 1000} s`)
    this.destroy()
  }

  /** Told once: what follows is only how it ends. */
  #breach(of: Breach['of'], found: string): void {
    this.#due = undefined
    this.#onBreach({ of, found })
  }

  /** The next frame with something in it. */
  async #next(): Promise<{ channel: number; performative: Performative }> {
    let frame: Frame
    do {
      frame = await this.#input.frame(this.#limits.frameBytes)
      demand(frame.type === 0, `a frame of type ${frame.type}`)
    } while (frame.body.length === 0)
    return { channel: frame.channel, performative: readPerformative(frame.body) }
  }

  #open(fields: readonly Encoded[], refused: AmqpError | undefined): void {
    const { containerId, hostName } = this.#service
    const wanted = asUnsigned(fields[2], 'uint', 'max-frame-size') ?? this.#limits.frameBytes
    this.#clientFrameBytes = Math.max(Math.min(wanted, this.#limits.frameBytes), smallestFrame)
    const openError = refused && map([[symbol('com.microsoft:open-error'), symbol(refused.condition)]])
    this.#send(0, code.open, [
      string(containerId),
      string(hostName),
      uint(this.#limits.frameBytes),
      ushort(channelMax),
      uint(this.#limits.idleTimeout),
      ...(openError ? [nothing, nothing, nothing, nothing, openError] : []),
    ])
    this.#opened = true
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.destroy(), 2 * this.#limits.idleTimeout)
    const patience = asUnsigned(fields[4], 'uint', 'idle-time-out') ?? 0
    if (patience > 0) {
      const every = Math.min(Math.max(patience / 2, fastestHeartbeat), this.#limits.idleTimeout)
      this.#heartbeat = setInterval(() => this.#write(emptyFrame), every)
    }
  }

  #dispatch(client: AmqpClient, channel: number, { code: performative, fields, payload }: Performative): void {
    if (performative === code.begin) return this.#begin(client, channel, fields)
    const session = this.#sessions.get(channel)
    if (!session) throw new ProtocolViolation('amqp:not-allowed', `channel ${channel} has no session`)
    switch (performative) {
      case code.attach:
        return session.attach(fields)
      case code.flow:
        return session.flow(fields)
      case code.transfer:
        return session.transfer(fields, payload)
      case code.disposition:
        return session.disposition(fields)
      case code.detach:
        return session.detach(fields)
      case code.end:
        session.end(true)
        this.#sessions.delete(channel)
        return this.#send(channel, code.end, [])
      default:
        throw new ProtocolViolation('amqp:not-allowed', `performative ${performative} has no place here`)
    }
  }

  #begin(client: AmqpClient, channel: number, fields: readonly Encoded[]): void {
    if (channel > channelMax || this.#sessions.has(channel) || this.#sessions.size === mostSessions)
      throw new ProtocolViolation('amqp:not-allowed', `no session can begin on channel ${channel}`)
    const outlet = {
      send: this.#send.bind(this),
      clientFrameBytes: this.#clientFrameBytes,
      isCongested: () => this.#unflushed + this.#stream.unsent() > congested,
      close: this.#close.bind(this),
      guard: this.#guard.bind(this),
      memory: this.peer.memory,
    }
    this.#sessions.set(channel, new Session(channel, fields, outlet, client, this.#limits))
  }

  /** What this throws is told, unless the client broke the protocol, and closes this connection and nothing else; never rejects. */
  async #guard(task: () => void | Promise<void>): Promise<void> {
    try {
      await task()
    } catch (error) {
      if (error instanceof InputEnded) return
      const violation = error instanceof ProtocolViolation ? error : undefined
      if (!violation) this.#onFault(error)
      if (this.#closed) return
      if (violation) this.#breach('protocol', violation.message)
      if (violation) this.#close({ condition: violation.condition, description: violation.message })
      else
        this.#close({ condition: 'amqp:internal-error', description: 'The connection ended with an internal error.' })
    }
  }

  /**
   * Close, for the client's own CLOSE or with an error. With an error each session ends first, and for the same reason: Node
   * waits 45 s for an END that does not come, and only then tells of the CLOSE. [device-wire §4.7]
   */
  #close(error?: AmqpError): void {
    if (this.#closed) return
    const told = error ? [errorValue(error)] : []
    if (error) for (const channel of this.#sessions.keys()) this.#send(channel, code.end, told)
    if (this.#opened) this.#send(0, code.close, told)
    this.end()
  }

  #send(channel: number, performative: number, fields: readonly (Encoded | undefined)[], payload?: Buffer): void {
    const frame = writeFrame(0, channel, performative, fields, payload)
    // Only an ATTACH repeats what the client may have made long.
    if (frame.length > this.#clientFrameBytes) {
      const found = `${frame.length} bytes to be sent, ${this.#clientFrameBytes} are taken`
      throw new ProtocolViolation('amqp:frame-size-too-small', found)
    }
    this.#write(frame)
  }

  /** Frames of one turn, and of the promises it settles, leave in one write: each write is a TLS record. */
  #write(bytes: Buffer): void {
    if (this.#closed) return
    this.#unflushed += bytes.length
    if (this.#pending.push(bytes) === 1) process.nextTick(() => void this.#guard(() => this.#flush()))
  }

  #flush(): void {
    if (this.#pending.length === 0 || this.#closed) return
    const bytes = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending)
    this.#pending = []
    this.#unflushed = 0
    this.#stream.send(bytes)
    if (this.#stream.unsent() > mostUnsent) this.destroy()
  }
}
