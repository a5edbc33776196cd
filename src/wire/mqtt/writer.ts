import type { ConnackCode } from './packets.ts'

/** Session-present is true only where a server kept subscriptions for the client. [MQTT-3.2.2-1] */
export function connackPacket(code: ConnackCode, sessionPresent: boolean): Buffer {
  return Buffer.from([0x20, 2, sessionPresent && code === 0 ? 1 : 0, code])
}

export function pubackPacket(packetId: number): Buffer {
  return Buffer.from([0x40, 2, packetId >> 8, packetId & 0xff])
}

export function subackPacket(packetId: number, codes: readonly number[]): Buffer {
  return Buffer.concat([
    Buffer.from([0x90]),
    size(2 + codes.length),
    Buffer.from([packetId >> 8, packetId & 0xff, ...codes]),
  ])
}

export function unsubackPacket(packetId: number): Buffer {
  return Buffer.from([0xb0, 2, packetId >> 8, packetId & 0xff])
}

export const pingrespPacket: Buffer = Buffer.from([0xd0, 0])

const longestTopic = 0xffff

/** QoS 1 carries the packet identifier; at QoS 0 it is left out. Never retained. Throws for a topic beyond 65,535 bytes. [MQTT-1.5.3] */
export function publishPacket(topic: string, payload: Buffer, qos: 0 | 1, packetId: number, dup = false): Buffer {
  const topicLength = Buffer.byteLength(topic)
  if (topicLength > longestTopic) throw new RangeError(`a topic of ${topicLength} bytes`)
  const body = 2 + topicLength + (qos === 1 ? 2 : 0) + payload.length
  const head = size(body)
  const packet = Buffer.allocUnsafe(1 + head.length + body)
  packet[0] = 0x30 | (dup ? 8 : 0) | (qos << 1)
  head.copy(packet, 1)
  let at = packet.writeUInt16BE(topicLength, 1 + head.length)
  at += packet.write(topic, at)
  if (qos === 1) at = packet.writeUInt16BE(packetId, at)
  payload.copy(packet, at)
  return packet
}

function size(length: number): Buffer {
  const digits: number[] = []
  let rest = length
  do {
    const digit = rest % 128
    rest = Math.floor(rest / 128)
    digits.push(rest > 0 ? digit | 0x80 : digit)
  } while (rest > 0)
  return Buffer.from(digits)
}
