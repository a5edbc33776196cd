import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { setTimeout as wait } from 'node:timers/promises'
import { publishPacket } from '../wire/mqtt/writer.ts'
import type { Credential } from './devices.ts'
import { assignedHub, deviceToken, type Operation, type Place } from './simulated-https.ts'

/** Milliseconds. */
const patience = 60_000
const connack = 2
const publish = 3
const suback = 9

/** Register over MQTT 3.1.1; the hub that the device was assigned to. [device-wire §3] */
export async function registerOverMqtt(place: Place, registrationId: string, credential: Credential): Promise<string> {
  const { host, port, ca, idScope } = place
  const certificate = 'key' in credential ? undefined : credential.certificate
  const servername = /^[\d.]+$|:/.test(host) ? undefined : host
  const socket = connect({ host, port, ca, servername, cert: certificate?.chain, key: certificate?.key })
  socket.setNoDelay(true).setTimeout(patience, () => socket.destroy(new Error(`no answer within ${patience / 1000} s`)))
  try {
    await once(socket, 'secureConnect')
    const packets = packetsOf(socket)
    const user = `${idScope}/registrations/${registrationId}/api-version=2021-06-01&ClientVersion=hubward-simulate`
    const password = 'key' in credential ? deviceToken(place, registrationId, credential.key) : undefined
    socket.write(connectPacket(registrationId, user, password))
    const [, code] = await next(packets, connack)
    if (code !== 0) throw new Error(`the connection was refused with code ${code}`)
    socket.write(subscribePacket('$dps/registrations/res/#'))
    await next(packets, suback)

    const ask = async (topic: string, body: string) => {
      socket.write(publishPacket(`$dps/registrations/${topic}`, Buffer.from(body), 0, 0))
      return readAnswer(await next(packets, publish))
    }
    let answer = await ask('PUT/iotdps-register/?$rid=1', JSON.stringify({ registrationId }))
    while (answer.operation.status === 'assigning') {
      await wait(answer.retryAfter * 1000)
      answer = await ask(`GET/iotdps-get-operationstatus/?$rid=2&operationId=${answer.operation.operationId}`, ' ')
    }
    return assignedHub(answer.operation)
  } finally {
    socket.destroy()
  }
}

/** The bodies of the packets that arrive, each with its type; throws when the connection ends. */
async function* packetsOf(socket: TLSSocket): AsyncGenerator<readonly [type: number, first: number, body: Buffer]> {
  let held = Buffer.alloc(0)
  for await (const chunk of socket) {
    held = Buffer.concat([held, chunk as Buffer])
    for (let size = sizeOf(held); size && held.length >= size.end; size = sizeOf(held)) {
      yield [held[0]! >> 4, held[0]! & 0x0f, held.subarray(size.start, size.end)]
      held = held.subarray(size.end)
    }
  }
  throw new Error('the service closed the connection')
}

function sizeOf(bytes: Buffer): { start: number; end: number } | undefined {
  let length = 0
  for (let at = 1; at < bytes.length && at <= 4; at++) {
    length += (bytes[at]! & 0x7f) * 128 ** (at - 1)
    if (bytes[at]! < 0x80) return { start: at + 1, end: at + 1 + length }
  }
  return undefined
}

/** The next packet of this type. A PUBLISH with QoS 1 is taken as it is: the connection ends before it would be sent again. */
async function next(packets: ReturnType<typeof packetsOf>, wanted: number): Promise<readonly [Buffer, number]> {
  for (;;) {
    const { value, done } = await packets.next()
    if (done === true || value === undefined) throw new Error('the service closed the connection')
    const [type, flags, body] = value
    if (type !== wanted) continue
    return [type === publish && (flags & 0x06) !== 0 ? withoutPacketId(body) : body, body[1] ?? 0]
  }
}

function withoutPacketId(body: Buffer): Buffer {
  const topicEnd = 2 + body.readUInt16BE(0)
  return Buffer.concat([body.subarray(0, topicEnd), body.subarray(topicEnd + 2)])
}

function readAnswer([body]: readonly [Buffer, number]): { operation: Operation; retryAfter: number } {
  const topicEnd = 2 + body.readUInt16BE(0)
  const topic = body.toString('utf8', 2, topicEnd)
  const retryAfter = Number(/retry-after=(\d+)/.exec(topic)?.[1] ?? 3)
  return { operation: JSON.parse(body.toString('utf8', topicEnd)) as Operation, retryAfter }
}

function connectPacket(clientId: string, user: string, password: string | undefined): Buffer {
  const flags = 0x02 | 0x80 | (password === undefined ? 0 : 0x40)
  const fields = [clientId, user, ...(password === undefined ? [] : [password])].map(text)
  return packet(0x10, Buffer.concat([text('MQTT'), Buffer.from([4, flags, 0, 60]), ...fields]))
}

function subscribePacket(topic: string): Buffer {
  return packet(0x82, Buffer.concat([Buffer.from([0, 1]), text(topic), Buffer.from([0])]))
}

function packet(first: number, body: Buffer): Buffer {
  const digits: number[] = []
  let rest = body.length
  do {
    digits.push((rest % 128) | (rest >= 128 ? 0x80 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return Buffer.concat([Buffer.from([first, ...digits]), body])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
}
