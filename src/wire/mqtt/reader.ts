import { isUtf8 } from 'node:buffer'
import { Gathered, ownBytes } from '../../base/gathered.ts'
import type { Account } from '../../base/memory.ts'
import type { Connect, Packet, Publish } from './packets.ts'

/** The bytes break the protocol; the only answer is to close the connection. [MQTT-4.8.0-1] */
export class MalformedPacket extends Error {
  override readonly name = 'MalformedPacket'
  /** Whoever threw it has told of it. */
  readonly told: boolean

  constructor(what: string, { told = false } = {}) {
    super(what)
    this.told = told
  }
}

/**
 * Cuts a byte stream into packets. A packet larger than `limit` bytes throws as soon as its length is known, so that no
 * more than that is ever held.
 */
export class PacketReader {
  readonly #limit: number
  readonly #held: Gathered
  /** Bytes that must be there before it is worth looking. */
  #needed = 2

  constructor(limit: number, memory?: Account) {
    this.#limit = limit
    this.#held = new Gathered(memory)
  }

  /** Bytes that wait to be read. */
  get length(): number {
    return this.#held.length
  }

  push(chunk: Buffer): void {
    this.#held.push(chunk)
  }

  /** The next packet; undefined until it is there. None is made before it is asked for. Throws MalformedPacket. */
  next(): Packet | undefined {
    if (this.#held.length < this.#needed) return undefined
    const held = this.#held.view()
    const size = remainingLength(held)
    if (size && size.body > this.#limit) {
      throw new MalformedPacket(`a packet of ${size.body} bytes; the limit is ${this.#limit}`)
    }
    this.#needed = size ? size.header + size.body : held.length + 1
    if (held.length < this.#needed) return undefined
    const packet = this.#held.take(this.#needed)
    this.#needed = 2
    return parse(packet[0]!, packet.subarray(size!.header))
  }
}

/** The variable-length size after the first byte, or undefined until it is complete. [MQTT-2.2.3] */
function remainingLength(bytes: Buffer): { header: number; body: number } | undefined {
  let body = 0
  for (let at = 1; at <= 4; at++) {
    const digit = bytes[at]
    if (digit === undefined) return undefined
    body += (digit & 0x7f) * 128 ** (at - 1)
    if (digit < 0x80) return { header: at + 1, body }
  }
  throw new MalformedPacket('the remaining length is longer than four bytes')
}

/** A hub has fewer than ten that can be granted. */
const mostFilters = 128

function parse(first: number, body: Buffer): Packet {
  const fields = new Fields(body)
  const flags = first & 0x0f
  switch (first >> 4) {
    case 1:
      return connect(fields)
    case 3:
      return publish(fields, flags)
    case 4:
      return { type: 'puback', packetId: fields.packetId() }
    case 8: {
      demand(flags === 2, 'SUBSCRIBE has the wrong flags')
      const packetId = fields.packetId()
      const filters = []
      while (!fields.atEnd) {
        const filter = fields.text()
        const qos = fields.byte()
        demand(qos <= 2, 'a requested QoS is not 0, 1 or 2')
        demand(filters.push({ filter, qos }) <= mostFilters, 'SUBSCRIBE names too many filters')
      }
      demand(filters.length > 0, 'SUBSCRIBE names no filter')
      return { type: 'subscribe', packetId, filters }
    }
    case 10: {
      demand(flags === 2, 'UNSUBSCRIBE has the wrong flags')
      const packetId = fields.packetId()
      const filters = []
      while (!fields.atEnd) demand(filters.push(fields.text()) <= mostFilters, 'UNSUBSCRIBE names too many filters')
      demand(filters.length > 0, 'UNSUBSCRIBE names no filter')
      return { type: 'unsubscribe', packetId, filters }
    }
    case 12:
      return { type: 'pingreq' }
    case 14:
      return { type: 'disconnect' }
    default:
      throw new MalformedPacket(`packet type ${first >> 4} is not for a server`)
  }
}

function connect(fields: Fields): Connect {
  const protocol = fields.text()
  const level = fields.byte()
  // The refusal needs no more. [MQTT-3.1.2-2]
  if (level !== 4)
    return {
      type: 'connect',
      protocol,
      level,
      clientId: otherClientId(fields, level),
      cleanSession: true,
      keepAlive: 0,
    }
  const flags = fields.byte()
  demand((flags & 1) === 0, 'the reserved CONNECT flag is set')
  const keepAlive = fields.number()
  const clientId = fields.text()
  const hasWill = (flags & 0x04) !== 0
  const will = hasWill
    ? { topic: fields.text(), payload: ownBytes(fields.bytes()), qos: (flags >> 3) & 3, retain: (flags & 0x20) !== 0 }
    : undefined
  const userName = (flags & 0x80) !== 0 ? fields.text() : undefined
  const password = (flags & 0x40) !== 0 ? fields.bytes() : undefined
  return {
    type: 'connect',
    protocol,
    level,
    clientId,
    cleanSession: (flags & 2) !== 0,
    keepAlive,
    userName,
    password,
    will,
  }
}

/** The client ID of another version's CONNECT, as far as it can be found: empty where it is laid out in another way. */
function otherClientId(fields: Fields, level: number): string {
  try {
    fields.skip(3) // flags and keep-alive
    // Version 5 has its properties in between. [MQTT 5 §3.1.2.11]
    if (level === 5) fields.skip(fields.variableNumber())
    return fields.text()
  } catch {
    return ''
  }
}

function publish(fields: Fields, flags: number): Publish {
  const qos = (flags >> 1) & 3
  demand(qos <= 2, 'QoS 3 does not exist')
  const topic = fields.text()
  demand(topic.length > 0 && !/[+#]/.test(topic), 'the topic name is empty or has a wildcard')
  const packetId = qos > 0 ? fields.packetId() : 0
  return {
    type: 'publish',
    topic,
    qos,
    packetId,
    retain: (flags & 1) !== 0,
    dup: (flags & 8) !== 0,
    payload: fields.rest(),
  }
}

/** Reads the fields of one packet in order; running past its end is malformed. */
class Fields {
  readonly #body: Buffer
  #at = 0

  constructor(body: Buffer) {
    this.#body = body
  }

  get atEnd(): boolean {
    return this.#at >= this.#body.length
  }

  byte(): number {
    return this.#take(1)[0]!
  }

  number(): number {
    return this.#take(2).readUInt16BE()
  }

  packetId(): number {
    const id = this.number()
    demand(id !== 0, 'the packet identifier is 0')
    return id
  }

  bytes(): Buffer {
    return this.#take(this.number())
  }

  /** Text that gives the same bytes when it is written again. [MQTT-1.5.3-1, MQTT-1.5.3-2] */
  text(): string {
    const bytes = this.bytes()
    demand(isUtf8(bytes) && !bytes.includes(0), 'a text is no UTF-8, or has a null character')
    return bytes.toString('utf8')
  }

  skip(length: number): void {
    this.#take(length)
  }

  /** [MQTT 5 §1.5.5] */
  variableNumber(): number {
    const size = remainingLength(this.#body.subarray(this.#at - 1))
    demand(size !== undefined, 'a length runs past the end of its packet')
    this.#at += size.header - 1
    return size.body
  }

  rest(): Buffer {
    return this.#take(this.#body.length - this.#at)
  }

  #take(length: number): Buffer {
    const end = this.#at + length
    demand(end <= this.#body.length, 'a field runs past the end of its packet')
    const bytes = this.#body.subarray(this.#at, end)
    this.#at = end
    return bytes
  }
}

function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new MalformedPacket(what)
}
