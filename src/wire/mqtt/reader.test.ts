import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { generate, type Packet as Generated } from 'mqtt-packet'
import { MalformedPacket, PacketReader } from './reader.ts'

const text = fc.string({ minLength: 1, maxLength: 20, unit: fc.constantFrom('a', 'b', 'é', '/', '$', '1') })
const messageId = fc.integer({ min: 1, max: 0xffff })
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const)
const packet: fc.Arbitrary<Generated> = fc.oneof(
  fc
    .record({
      topic: text,
      payload: fc.string({ maxLength: 300 }),
      qos,
      dup: fc.boolean(),
      retain: fc.boolean(),
      messageId,
    })
    .map((fields): Generated => ({ cmd: 'publish', ...fields, dup: fields.qos > 0 && fields.dup })),
  fc
    .record({
      clientId: text,
      username: text,
      password: text,
      clean: fc.constant(true),
      keepalive: fc.integer({ min: 0, max: 0xffff }),
    })
    .map(({ password, ...fields }): Generated => ({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      password: Buffer.from(password),
      ...fields,
    })),
  fc
    .record({ topic: text, messageId, qos })
    .map(({ topic, qos, messageId }): Generated => ({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos }] })),
  fc
    .record({ topic: text, messageId })
    .map(({ topic, messageId }): Generated => ({ cmd: 'unsubscribe', messageId, unsubscriptions: [topic] })),
  fc.constantFrom<Generated>({ cmd: 'pingreq' }, { cmd: 'disconnect' }),
)

/** What the reader makes of these bytes, given to it in these pieces. */
function read(bytes: Buffer, cuts: readonly number[], limit = 100_000): unknown[] {
  const reader = new PacketReader(limit)
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b)
  const pieces = [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
  return pieces.flatMap((piece) => {
    reader.push(piece)
    const packets: unknown[] = []
    for (let packet = reader.next(); packet; packet = reader.next()) packets.push(packet)
    return packets
  })
}

test('what mqtt-packet writes is read the same, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(packet, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (packets, cuts) => {
        const bytes = Buffer.concat(packets.map((one) => generate(one)))
        const whole = read(bytes, [])
        assert.equal(whole.length, packets.length)
        assert.deepEqual(read(bytes, cuts), whole)
        for (const [index, { cmd }] of packets.entries()) assert.equal((whole[index] as { type: string }).type, cmd)
      },
    ),
  )
})

test('a topic, a payload and a password are read to the byte', () => {
  const bytes = generate({
    cmd: 'publish',
    topic: 'a/é',
    payload: 'größe',
    qos: 1,
    messageId: 7,
    dup: true,
    retain: true,
  })
  assert.deepEqual(read(bytes, [1, 2, 3]), [
    { type: 'publish', topic: 'a/é', payload: Buffer.from('größe'), qos: 1, packetId: 7, dup: true, retain: true },
  ])
})

test('whatever the bytes, they are packets or malformed, and nothing else is thrown', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.array(fc.nat()), (noise, cuts) => {
      try {
        read(Buffer.from(noise), cuts, 1000)
      } catch (error) {
        assert.ok(error instanceof MalformedPacket, String(error))
      }
    }),
    { numRuns: 3000 },
  )
})

test('a packet beyond the limit is refused when its length is known, before its body comes', () => {
  const reader = new PacketReader(1000)
  reader.push(Buffer.from([0x30, 0xe9, 0x07]))
  assert.throws(() => reader.next(), MalformedPacket)
})
