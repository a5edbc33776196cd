import type { Breach } from '../../base/breach.ts'
import type { ByteStream } from '../../base/byte-stream.ts'
import { perUnit } from '../../base/memory.ts'
import type { Peer } from '../../base/peer.ts'
import { quoted } from '../../base/printable.ts'
import { connack, type Connect, type ConnackCode, type Packet, type Publish } from './packets.ts'
import { MalformedPacket, PacketReader } from './reader.ts'
import { connackPacket, pingrespPacket, pubackPacket, publishPacket, subackPacket, unsubackPacket } from './writer.ts'

/** What a service says to a CONNECT: a session, or the code it refuses with. */
export type ConnectOutcome =
  { readonly session: MqttSession; readonly sessionPresent: boolean } | { readonly refused: ConnackCode }

/** One client's dealings with a service, after a successful CONNECT. The connection calls one method at a time, in order. */
export interface MqttSession {
  /** The SUBACK return code for each filter, in order. SUBACK is sent when this settles. */
  readonly subscribe: (
    filters: readonly { filter: string; qos: number }[],
  ) => readonly number[] | Promise<readonly number[]>
  readonly unsubscribe: (filters: readonly string[]) => void
  /** PUBACK (QoS 1) is sent when this settles; throw MalformedPacket to close the connection instead. */
  readonly publish: (packet: Publish) => void | Promise<void>
  /** After SUBACK is on its way: the moment to deliver what waited for the subscription. */
  readonly subscribed?: () => void
  readonly acknowledged?: (packetId: number) => void
  /** Called once, however the connection ended; `graceful` if the client sent DISCONNECT. */
  readonly closed: (graceful: boolean) => void
}

/** Who may answer a CONNECT; the listener asks each service in turn. */
export type MqttService = (
  connect: Connect,
  connection: MqttConnection,
) => undefined | ConnectOutcome | Promise<ConnectOutcome>

export interface MqttLimits {
  /** Largest packet, in bytes. */
  readonly packetBytes: number
  /** Milliseconds from the start of the connection to CONNECT. */
  readonly connectTimeout: number
  /** Milliseconds without traffic that a client with keep-alive 0 may take. */
  readonly idleTimeout: number
}

const patience = 1.5 // of the keep-alive. [MQTT-3.1.2-24]
/** Milliseconds, however long a client asks to be forgotten. [service-wire §13.1] */
const longestSilence = 1767_000
/** Milliseconds that a client is given to close its side of an ended connection. */
const endTimeout = 10_000
/** Bytes that a client may leave unread. */
const mostUnsent = 4 << 20
/** Bytes that may wait while a packet is being handled. */
const mostWaiting = 64 << 10

/**
 * The server's side of one MQTT 3.1.1 connection, over any byte stream: packets in order, acknowledgements, keep-alive.
 * Whatever breaks the protocol closes the connection and nothing else.
 */
export class MqttConnection {
  readonly peer: Peer
  readonly #stream: ByteStream
  readonly #services: readonly MqttService[]
  readonly #reader: PacketReader
  readonly #limits: MqttLimits
  readonly #onFault: (fault: unknown) => void
  readonly #onBreach: (breach: Breach) => void
  #clientId: string | undefined
  #session: MqttSession | undefined
  #connected = false
  #closed = false
  #graceful = false
  #busy = false
  #paused = false
  #timer: NodeJS.Timeout
  #outgoing: Buffer[] = []
  #nextPacketId = 1

  constructor(
    stream: ByteStream,
    peer: Peer,
    services: readonly MqttService[],
    limits: MqttLimits,
    onFault: (fault: unknown) => void,
    onBreach: (breach: Breach) => void = () => {},
  ) {
    this.#stream = stream
    this.peer = peer
    this.#services = services
    this.#limits = limits
    this.#onFault = onFault
    this.#onBreach = onBreach
    this.#reader = new PacketReader(limits.packetBytes, peer.memory)
    const late = () => this.#fail(new MalformedPacket(`no CONNECT came within ${limits.connectTimeout / 1000} s`))
    this.#timer = setTimeout(late, limits.connectTimeout)
  }

  /** Feed bytes from the stream. */
  receive(chunk: Buffer): void {
    if (this.#closed) return
    // Before its CONNECT a client is not kept by bytes that trickle in. [device-wire §3.6]
    if (this.#session) this.#timer.refresh()
    this.#reader.push(chunk)
    if (!this.#busy) return void this.guard(() => this.#drain())
    // Stopping and starting a socket is a system call each, so it is left to those who send faster than they are answered.
    if (this.#reader.length > mostWaiting && !this.#paused) {
      this.#paused = true
      this.#stream.pause()
    }
  }

  /** Send a PUBLISH; gives the packet identifier of a QoS 1 delivery, 0 otherwise. */
  publish(topic: string, payload: Buffer, qos: 0 | 1, options: { dup?: boolean; packetId?: number } = {}): number {
    const packetId = qos === 0 ? 0 : (options.packetId ?? this.newPacketId())
    this.#send(publishPacket(topic, payload, qos, packetId, options.dup))
    return packetId
  }

  newPacketId(): number {
    const id = this.#nextPacketId
    this.#nextPacketId = id === 0xffff ? 1 : id + 1
    return id
  }

  /** Cut the connection. */
  destroy(): void {
    this.streamClosed()
    this.#stream.destroy()
  }

  /** Send what is waiting, then close. */
  end(): void {
    this.#flush()
    this.streamClosed()
    this.#stream.end()
    setTimeout(() => this.#stream.destroy(), endTimeout).unref()
  }

  /** To be called when the stream has closed. */
  streamClosed(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    try {
      this.#session?.closed(this.#graceful)
    } catch (fault) {
      this.#onFault(fault)
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Do something for this connection beside its packets, now and until it settles. What it throws is told, unless the client
   * broke the protocol, and closes this connection and nothing else; so this never rejects, and need not be awaited.
   */
  async guard(task: () => void | Promise<void>): Promise<void> {
    try {
      await task()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (!(error instanceof MalformedPacket)) this.#onFault(error)
    else if (!error.told && !this.#closed) this.#breach('protocol', error.message)
    this.destroy()
  }

  #breach(of: Breach['of'], found: string): void {
    this.#onBreach({ of, found, ...(this.#clientId && { clientId: this.#clientId }) })
  }

  async #drain(): Promise<void> {
    this.#busy = true
    try {
      for (let packet = this.#reader.next(); packet && !this.#closed; packet = this.#reader.next()) {
        const handled = this.#handle(packet)
        if (handled) await handled
      }
    } finally {
      this.#busy = false
      // Also after the end: a stream that is not read never hears the other side close, and would stay for good.
      if (this.#paused) this.#stream.resume()
      this.#paused = false
    }
  }

  #handle(packet: Packet): void | Promise<void> {
    if (packet.type === 'connect') return this.#connect(packet)
    const session = this.#session
    if (!session) throw new MalformedPacket('the first packet is not CONNECT') // [MQTT-3.1.0-1]
    switch (packet.type) {
      case 'publish':
        if (packet.qos === 2) throw new MalformedPacket('QoS 2 is not offered')
        return after(session.publish(packet), () => {
          if (packet.qos === 1) this.#send(pubackPacket(packet.packetId))
        })
      case 'puback':
        return session.acknowledged?.(packet.packetId)
      case 'subscribe':
        return after(session.subscribe(packet.filters), (codes) => {
          this.#send(subackPacket(packet.packetId, codes))
          session.subscribed?.()
        })
      case 'unsubscribe':
        session.unsubscribe(packet.filters)
        return this.#send(unsubackPacket(packet.packetId))
      case 'pingreq':
        return this.#send(pingrespPacket)
      case 'disconnect':
        this.#graceful = true
        return this.end()
    }
  }

  async #connect(packet: Connect): Promise<void> {
    if (this.#connected) throw new MalformedPacket('a second CONNECT') // [MQTT-3.1.0-2]
    this.#connected = true
    this.#clientId = packet.clientId
    // Who the client says it is, is remembered as long as it is there.
    this.peer.memory?.count(sizeOf(packet))
    const admission = await this.#admit(packet)
    if (this.#closed) {
      // The client left while it was being admitted; its session must hear of that.
      if ('session' in admission) admission.session.closed(false)
      return
    }
    if ('refused' in admission) {
      this.#send(connackPacket(admission.refused, false))
      return this.end()
    }
    this.#session = admission.session
    this.#send(connackPacket(connack.accepted, admission.sessionPresent))
    clearTimeout(this.#timer)
    const silence =
      packet.keepAlive > 0 ? Math.min(packet.keepAlive * 1000 * patience, longestSilence) : this.#limits.idleTimeout
    this.#timer = setTimeout(() => this.destroy(), silence)
  }

  async #admit(packet: Connect): Promise<ConnectOutcome> {
    if (packet.protocol !== 'MQTT' || packet.level !== 4) {
      this.#breach('version', `expected MQTT 3.1.1 (level 4), found ${versionOf(packet)}`)
      return { refused: connack.unacceptableProtocol }
    }
    for (const service of this.#services) {
      const admission = await service(packet, this)
      if (admission) return admission
    }
    return { refused: connack.badUserNameOrPassword }
  }

  /** Packets of one turn leave in one write: each write is a TLS record. */
  #send(packet: Buffer): void {
    if (this.#closed) return
    if (this.#outgoing.push(packet) === 1) queueMicrotask(() => void this.guard(() => this.#flush()))
  }

  #flush(): void {
    if (this.#outgoing.length === 0 || this.#closed) return
    const bytes = this.#outgoing.length === 1 ? this.#outgoing[0]! : Buffer.concat(this.#outgoing)
    this.#outgoing = []
    this.#stream.send(bytes)
    // Who asks without end and never reads is not waited for.
    if (this.#stream.unsent() > mostUnsent) this.destroy()
  }
}

const versionNames: ReadonlyMap<string, string> = new Map([
  ['MQIsdp 3', 'MQTT 3.1'],
  ['MQTT 5', 'MQTT 5'],
  ['MQTT 132', 'MQTT 3.1.1 of a bridge'],
])

function versionOf({ protocol, level }: Connect): string {
  return `${versionNames.get(`${protocol} ${level}`) ?? quoted(protocol)} (level ${level})`
}

/** At once where there is nothing to wait for: very many packets may come at a time. */
function after<T>(value: T | Promise<T>, next: (value: T) => void): void | Promise<void> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/** Bytes that the texts of a CONNECT take, at most. */
function sizeOf({ clientId, userName = '', password, will }: Connect): number {
  const texts = clientId.length + userName.length + (password?.length ?? 0) + (will?.topic.length ?? 0)
  return 2 * texts + (will?.payload.length ?? 0) + perUnit
}
