import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { described, frame, header, long, nothing, openRaw, text, uint, untilClosed, zero } from './amqp-client.ts'
import { enrollDevice } from './device.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.69')
const device = await enrollDevice(service, 'numbers')

const plain = [text('PLAIN', 0xa3), long(Buffer.from(`\0${device.resource}\0${device.token()}`))]
const opening = Buffer.concat([header.sasl, frame(0x41, plain, { type: 1 }), header.amqp])
const begin = frame(0x11, [nothing, zero, uint(100), uint(100)])
const open = frame(0x10, [text('c')])
const sender = Buffer.from([0x42])
const receiver = Buffer.from([0x41])
const target = described(0x29, [text(device.resource)])
const source = described(0x28, [text(device.resource)])
const sends = frame(0x12, [text('s'), zero, sender, nothing, nothing, source, target])
const receives = frame(0x12, [text('r'), uint(1), receiver, nothing, nothing, source, target])
const close = frame(0x18, [])

type Write = (value: Buffer) => readonly Buffer[]
const inOpen =
  (write: (value: Buffer) => Buffer): Write =>
  (value) => [write(value)]
const inSession =
  (write: (value: Buffer) => Buffer): Write =>
  (value) => [open, write(value)]
const onSession =
  (write: (value: Buffer) => Buffer): Write =>
  (value) => [open, begin, write(value)]
const onLinks =
  (write: (value: Buffer) => Buffer): Write =>
  (value) => [open, begin, sends, receives, write(value)]

/** Every field of AMQP that is a number and that a client sends, with a value in its place; and whether the service reads it. */
const fields: readonly [field: string, write: Write, read?: 'unread'][] = [
  ['max-frame-size of OPEN', inOpen((value) => frame(0x10, [text('c'), nothing, value]))],
  ['channel-max of OPEN', inOpen((value) => frame(0x10, [text('c'), nothing, nothing, value])), 'unread'],
  ['idle-time-out of OPEN', inOpen((value) => frame(0x10, [text('c'), nothing, nothing, nothing, value]))],
  ['next-outgoing-id of BEGIN', inSession((value) => frame(0x11, [nothing, value, uint(1), uint(1)]))],
  ['incoming-window of BEGIN', inSession((value) => frame(0x11, [nothing, zero, value, uint(1)]))],
  ['outgoing-window of BEGIN', inSession((value) => frame(0x11, [nothing, zero, uint(1), value])), 'unread'],
  ['handle-max of BEGIN', inSession((value) => frame(0x11, [nothing, zero, uint(1), uint(1), value])), 'unread'],
  ['handle of ATTACH', onSession((value) => frame(0x12, [text('n'), value, sender, nothing, nothing, source, target]))],
  [
    'snd-settle-mode of ATTACH',
    onSession((value) => frame(0x12, [text('n'), zero, sender, value, nothing, source, target])),
  ],
  [
    'rcv-settle-mode of ATTACH',
    onSession((value) => frame(0x12, [text('n'), zero, sender, nothing, value, source, target])),
  ],
  [
    'initial-delivery-count of ATTACH',
    onSession((value) =>
      frame(0x12, [text('n'), zero, sender, nothing, nothing, source, target, nothing, nothing, value]),
    ),
  ],
  ['next-incoming-id of FLOW', onLinks((value) => frame(0x13, [value, uint(9), zero, uint(9)]))],
  ['incoming-window of FLOW', onLinks((value) => frame(0x13, [zero, value, zero, uint(9)]))],
  ['next-outgoing-id of FLOW', onLinks((value) => frame(0x13, [zero, uint(9), value, uint(9)])), 'unread'],
  ['outgoing-window of FLOW', onLinks((value) => frame(0x13, [zero, uint(9), zero, value])), 'unread'],
  ['handle of FLOW', onLinks((value) => frame(0x13, [zero, uint(9), zero, uint(9), value]))],
  ['delivery-count of FLOW', onLinks((value) => frame(0x13, [zero, uint(9), zero, uint(9), uint(1), value, uint(9)]))],
  ['link-credit of FLOW', onLinks((value) => frame(0x13, [zero, uint(9), zero, uint(9), uint(1), zero, value]))],
  ['handle of TRANSFER', onLinks((value) => frame(0x14, [value, zero, long(Buffer.from('t'))]))],
  ['delivery-id of TRANSFER', onLinks((value) => frame(0x14, [zero, value, long(Buffer.from('t'))]))],
  [
    'message-format of TRANSFER',
    onLinks((value) => frame(0x14, [zero, zero, long(Buffer.from('t')), value])),
    'unread',
  ],
  ['first of DISPOSITION', onLinks((value) => frame(0x15, [receiver, value, value, receiver])), 'unread'],
  ['handle of DETACH', onLinks((value) => frame(0x16, [value]))],
]

function ulong(value: bigint): Buffer {
  const bytes = Buffer.alloc(9, 0x80)
  bytes.writeBigUInt64BE(value, 1)
  return bytes
}

/** As an uint of 32 bits, which most fields are: the edges of what a field may say. */
const edges: readonly [string, Buffer][] = [
  ['2^31 - 1', uint(2 ** 31 - 1)],
  ['2^31', uint(2 ** 31)],
  ['2^32 - 1', uint(2 ** 32 - 1)],
]
/** Of no number's type, or beyond it. */
const noNumbers: readonly [string, Buffer][] = [
  ['2^32', ulong(1n << 32n)],
  ['2^40', ulong(1n << 40n)],
  ['2^63', ulong(1n << 63n)],
  ['2^64 - 1', ulong((1n << 64n) - 1n)],
  ['-1', Buffer.from([0x54, 0xff])],
  ['a text', text('7')],
  ['a list', Buffer.from([0x45])],
]

describe('AMQP numbers are those of their types [AMQP-1.0 §1.6]', { concurrency: 2 }, () => {
  for (const [field, write, read] of fields) {
    test(`the ${field}, whatever number it is: an answer, and an end`, async () => {
      for (const [value, bytes] of edges) assert.match(await said(write(bytes)), /./, value)
    })

    const end = read === 'unread' ? 'nobody reads it' : 'the connection ends, and says why'
    test(`the ${field} is no number, or none that it can be: ${end}`, async () => {
      for (const [value, bytes] of noNumbers) {
        const answer = await said(write(bytes))
        // Nothing can be said before OPEN was understood.
        if (read !== 'unread' && !field.endsWith('of OPEN')) assert.match(answer, /amqp:decode-error/, value)
      }
    })
  }
})

/** What the service says until it closes the connection, which the client asks for at the end. */
async function said(frames: readonly Buffer[]): Promise<string> {
  const socket = await openRaw(service)
  const answer = untilClosed(socket)
  socket.write(Buffer.concat([opening, ...frames, close]))
  const late = wait(10_000, 'late', { ref: false })
  const bytes = await Promise.race([answer, late])
  assert.ok(bytes !== 'late', 'the connection is closed within ten seconds')
  return bytes.toString('latin1')
}
