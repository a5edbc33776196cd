import assert from 'node:assert/strict'
import { generate as writeMqtt, parser, type Packet as MqttPacket } from 'mqtt-packet'
import type * as topicsModule from '../../../src/bundled-hub/mqtt/topics.ts'
import type * as propertyBagModule from '../../../src/bundled-hub/property-bag.ts'
import type * as connectionModule from '../../../src/wire/mqtt/connection.ts'
import type * as readerModule from '../../../src/wire/mqtt/reader.ts'
import type { Packet } from '../../../src/wire/mqtt/packets.ts'
import type { Random } from '../engine/random.ts'
import { orRefused, type Load, type MakeTargets, type Target } from '../engine/target.ts'

/** MQTT, read and answered, beside mqtt-packet. */
export const mqttTargets: MakeTargets = async (load) => Promise.all([packets(load), connection(load), hubTopics(load)])

/** Packets that a well-behaved client could send, with the contents of an ill-behaved one. */
export function mqttPacket(random: Random): Buffer {
  const messageId = random.int(1, 65_535)
  const text = (most: number) => random.text(most).toWellFormed().replaceAll('\0', '0') || 'x'
  const packet: MqttPacket = random.pick<() => MqttPacket>([
    () => ({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: random.once(2),
      clientId: text(60),
      keepalive: random.int(0, 65_535),
      username: text(80),
      ...(random.once(2) && { password: Buffer.from(text(80)) }),
      ...(random.once(5) && {
        will: { topic: text(20), payload: random.bytes(random.size(40)), qos: 1, retain: random.once(2) },
      }),
    }),
    () => ({
      cmd: 'publish',
      topic: random.once(2) ? `$dps/registrations/PUT/iotdps-register/?$rid=${text(200)}` : text(100),
      payload: random.bytes(random.size(300)),
      qos: random.once(2) ? 0 : 1,
      messageId,
      dup: false,
      retain: random.once(4),
    }),
    () => ({
      cmd: 'subscribe',
      messageId,
      subscriptions: [{ topic: text(40), qos: 1 }, ...random.many(3, () => ({ topic: text(20), qos: 0 as const }))],
    }),
    () => ({ cmd: 'unsubscribe', messageId, unsubscriptions: [text(20), ...random.many(3, () => text(20))] }),
    () => ({ cmd: 'puback', messageId }),
    () => ({ cmd: 'pingreq' }),
    () => ({ cmd: 'disconnect' }),
  ])()
  return writeMqtt(packet)
}

/** A request of the device endpoint with any bytes where its identifier is. */
export function publishedRequest(random: Random): Buffer {
  const what = random.pick(['PUT/iotdps-register/?$rid=', 'GET/iotdps-get-operationstatus/?operationId=x&$rid='])
  const payload = random.pick(['{}', '{"registrationId":"dev"}', '', '['.repeat(random.size(20_000))])
  return published(random, `$dps/registrations/${what}`, payload)
}

/** A PUBLISH to a topic that goes on after `head` with any bytes: it need not be the UTF-8 that writers of packets make. */
export function published(random: Random, head: string, payload: string): Buffer {
  const identifier = random.once(3)
    ? Buffer.alloc(random.size(60_000), random.pick([0xff, 0x80, 0x41, 0xc3, 0x26]))
    : Buffer.from(random.text(200))
  const topic = Buffer.concat([Buffer.from(head), identifier]).subarray(0, 65_535)
  const quality = random.int(0, 1)
  const identified = quality ? short(random.int(1, 65_535)) : Buffer.alloc(0)
  const body = Buffer.concat([short(topic.length), topic, identified, Buffer.from(payload)])
  return Buffer.concat([Buffer.from([0x30 | (quality << 1), ...varint(body.length)]), body])
}

function short(number: number): Buffer {
  return Buffer.from([number >> 8, number & 0xff])
}

function varint(number: number): number[] {
  return number < 128 ? [number] : [(number & 0x7f) | 0x80, ...varint(number >> 7)]
}

async function packets(load: Load): Promise<Target> {
  const { PacketReader, MalformedPacket } = await load<typeof readerModule>('wire/mqtt/reader.ts')
  const limit = 8192
  const read = (chunks: readonly Buffer[]): Packet[] | undefined =>
    orRefused([MalformedPacket], () => {
      const reader = new PacketReader(limit)
      const packets: Packet[] = []
      for (const chunk of chunks) {
        reader.push(chunk)
        for (let packet = reader.next(); packet; packet = reader.next()) packets.push(packet)
      }
      return packets
    })
  return {
    name: 'mqtt-packet',
    dictionary: [
      Buffer.from('000400044d515454', 'hex'),
      '$rid=',
      Buffer.from([0xff, 0xff, 0xff, 0x7f]),
      Buffer.from([0x80, 0, 0]),
    ],
    generate: (random) => Buffer.concat([mqttPacket(random), ...random.many(3, () => mqttPacket(random))]),
    check: (input) => {
      const whole = read([input])
      const step = 1 + (input.length % 7)
      const cut = Array.from({ length: Math.ceil(input.length / step) }, (_, at) =>
        input.subarray(at * step, (at + 1) * step),
      )
      assert.deepEqual(read(cut), whole, 'where the stream is cut makes no difference')
      for (const packet of whole ?? []) if (packet.type === 'publish') demandSameAs(input, packet, whole!)
    },
  }
}

/** What was taken for a whole stream of PUBLISHes means the same to mqtt-packet. */
function demandSameAs(input: Buffer, packet: Extract<Packet, { type: 'publish' }>, all: readonly Packet[]): void {
  const theirs: MqttPacket[] = []
  const other = parser({ protocolVersion: 4 })
  other.on('packet', (one) => theirs.push(one))
  other.on('error', () => undefined)
  other.parse(input)
  const same = theirs[all.indexOf(packet)]
  if (same?.cmd !== 'publish') return
  assert.deepEqual([packet.topic, packet.payload, packet.qos], [same.topic, same.payload, same.qos])
}

async function connection(load: Load): Promise<Target> {
  const { MqttConnection } = await load<typeof connectionModule>('wire/mqtt/connection.ts')
  return {
    name: 'mqtt-connection',
    dictionary: [Buffer.from([0x10]), Buffer.from([0x82]), '$dps/registrations/res/#', '$rid='],
    generate: (random) =>
      Buffer.concat([
        writeMqtt({
          cmd: 'connect',
          protocolId: 'MQTT',
          protocolVersion: 4,
          clean: true,
          clientId: 'a',
          keepalive: 9,
          username: 'u',
        }),
        ...random.many(12, () => (random.once(3) ? publishedRequest(random) : mqttPacket(random))),
      ]),
    check: async (input) => {
      const faults: unknown[] = []
      let sent = 0
      const nothing = () => undefined
      const stream = {
        send: (bytes: Buffer) => void (sent += bytes.length),
        destroy: nothing,
        end: nothing,
        pause: nothing,
        resume: nothing,
        unsent: () => 0,
      }
      const peer = { remoteAddress: '127.0.0.1', certificateChain: [] }
      const limits = { packetBytes: 262_144, connectTimeout: 60_000, idleTimeout: 60_000 }
      // Whoever serves MQTT here repeats what it was sent, as the device endpoint and the hub repeat request IDs.
      const session = (to: InstanceType<typeof MqttConnection>) => ({
        subscribe: (filters: readonly { readonly qos: number }[]) => filters.map(({ qos }) => qos),
        unsubscribe: nothing,
        publish: ({ topic, payload }: { topic: string; payload: Buffer }) => void to.publish(topic, payload, 1),
        closed: nothing,
      })
      const echo = (_: unknown, to: InstanceType<typeof MqttConnection>) => ({
        session: session(to),
        sessionPresent: false,
      })
      const subject = new MqttConnection(stream, peer, [echo], limits, (fault) => faults.push(fault))
      subject.receive(input)
      for (let turns = 0; turns < 4; turns++) await new Promise((resolve) => setImmediate(resolve))
      subject.destroy()
      if (faults.length > 0) throw faults[0]
      assert.ok(sent <= 4 * input.length + 64, 'answers are not much longer than what was asked')
    },
  }
}

async function hubTopics(load: Load): Promise<Target> {
  const { publicationOf, subscriptionOf } = await load<typeof topicsModule>('bundled-hub/mqtt/topics.ts')
  const { parsePropertyBag, propertyBag } = await load<typeof propertyBagModule>('bundled-hub/property-bag.ts')
  const topics = [
    '$iothub/twin/GET/?$rid=',
    '$iothub/twin/PATCH/properties/reported/?$rid=',
    '$iothub/methods/res/200/?$rid=',
    'devices/d/messages/events/',
    '&$version=',
  ]
  return {
    name: 'hub-topics',
    dictionary: topics,
    generate: (random) =>
      Buffer.from(
        `${random.pick(topics)}${random.text(200)}${random.pick(['', '&$version=7', `&${random.text()}=${random.text()}`])}`,
      ),
    check: (input) => {
      const text = input.toString()
      publicationOf('devices/d', text)
      subscriptionOf('devices/d', text, 1)
      const bag = parsePropertyBag(text)
      if (!bag || bag.has('')) return
      assert.deepEqual(parsePropertyBag(propertyBag(bag)), bag)
    },
  }
}
