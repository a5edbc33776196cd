import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { binary, described, list, string, symbol, uint } from './encoding.ts'
import { code, writeFrame } from './performatives.ts'
import { address, closed, faults, inMemory, raw, serve } from './stub-service.ts'

const sasl = Buffer.from('AMQP\x03\x01\x00\x00', 'latin1')
const amqp = Buffer.from('AMQP\x00\x01\x00\x00', 'latin1')
const openFrame = (fields: Buffer[] = [string('c')]) => writeFrame(0, 0, code.open, fields)
const begin = writeFrame(0, 0, code.begin, [Buffer.from([0x40]), uint(0), uint(100), uint(100)])
const terminus = (descriptor: number) => described(descriptor, list([string(address)]))
const attachSender = writeFrame(0, 0, code.attach, [
  string('sender'),
  uint(0),
  Buffer.from([0x42]),
  Buffer.from([0x40]),
  Buffer.from([0x40]),
  terminus(code.source),
  terminus(code.target),
])
const transfer = (fields: Buffer[] = [uint(0), uint(0), binary(Buffer.from('t')), uint(0)]) =>
  writeFrame(0, 0, code.transfer, fields, hex('005375a00478787878'))
const opening = Buffer.concat([amqp, openFrame()])
const ready = Buffer.concat([opening, begin, attachSender])

const wrong: Record<string, [bytes: Buffer, condition: string]> = {
  'a frame larger than announced': [Buffer.concat([opening, hex('0001000102000000')]), 'amqp:connection:framing-error'],
  'a frame of seven bytes': [Buffer.concat([opening, hex('0000000702000000')]), 'amqp:connection:framing-error'],
  'a frame whose body begins in its header': [
    Buffer.concat([opening, hex('0000000801000000')]),
    'amqp:connection:framing-error',
  ],
  'a SASL frame after OPEN': [
    Buffer.concat([opening, writeFrame(1, 0, code.saslInit, [symbol('PLAIN')])]),
    'amqp:decode-error',
  ],
  'a second OPEN': [Buffer.concat([opening, openFrame()]), 'amqp:not-allowed'],
  'ATTACH before BEGIN': [Buffer.concat([opening, attachSender]), 'amqp:not-allowed'],
  'a second BEGIN on a channel': [Buffer.concat([opening, begin, begin]), 'amqp:not-allowed'],
  'a handle that is in use': [Buffer.concat([ready, attachSender]), 'amqp:session:handle-in-use'],
  'a transfer on no link': [Buffer.concat([opening, begin, transfer()]), 'amqp:session:unattached-handle'],
  'a transfer without delivery ID': [Buffer.concat([ready, transfer([uint(0)])]), 'amqp:decode-error'],
  'more transfers than credit': [
    Buffer.concat([ready, ...Array<Buffer>(11).fill(transfer())]),
    'amqp:link:transfer-limit-exceeded',
  ],
  'an array of four thousand million nothings': [
    Buffer.concat([opening, hex('0000001702000000 005313 f000000005ffffffff40 4040')]),
    'amqp:decode-error',
  ],
  'a list that counts more than it has': [
    Buffer.concat([opening, hex('0000001402000000 005311 d000000004ffffffff')]),
    'amqp:decode-error',
  ],
  'a descriptor in a descriptor in a descriptor': [
    Buffer.concat([opening, hex('0000001002000000 0000000000000000')]),
    'amqp:decode-error',
  ],
  'a performative that does not exist': [
    Buffer.concat([opening, hex('0000000c02000000 00536045')]),
    'amqp:decode-error',
  ],
}

test('a mechanism that is not offered ends the SASL exchange with outcome 1', async () => {
  const socket = await raw(await serve({}))
  socket.write(Buffer.concat([sasl, writeFrame(1, 0, code.saslInit, [symbol('ANONYMOUS')])]))
  const bytes = await closed(socket)
  assert.deepEqual(bytes.subarray(-16), writeFrame(1, 0, code.saslOutcome, [Buffer.from([0x50, 1])]))
})

test('a client that asks for heartbeats gets them, and one that says nothing is cut', async () => {
  const began = Date.now()
  const socket = await raw(await serve({ limits: { idleTimeout: 600 } }))
  socket.write(
    Buffer.concat([amqp, openFrame([string('c'), Buffer.from([0x40]), uint(65536), Buffer.from([0x40]), uint(1000)])]),
  )
  const bytes = await closed(socket)
  assert.deepEqual(bytes.subarray(-8), hex('0000000802000000'))
  assert.ok(Date.now() - began >= 1150)
})

test('a client that does not come to OPEN in time is cut, whatever it sends meanwhile', async () => {
  const port = await serve({ limits: { openTimeout: 200 } })
  const silent = await raw(port)
  const stuck = await raw(port)
  stuck.write(
    Buffer.concat([sasl, writeFrame(1, 0, code.saslInit, [symbol('TPM'), binary(Buffer.from('\0s\0r\0ek'))])]),
  )
  const talking = setInterval(() => stuck.write(Buffer.from([0])), 20)
  await Promise.all([closed(silent), closed(stuck)])
  clearInterval(talking)
})

for (const [what, [bytes, condition]] of Object.entries(wrong))
  test(`${what} closes the connection with ${condition}`, async () => {
    const socket = await raw(await serve({ request: () => new Promise(() => undefined) }))
    socket.write(bytes)
    const answer = await closed(socket)
    assert.ok(answer.includes(condition), answer.toString('latin1'))
  })

test('a message beyond the announced size closes the connection before it is held whole', async () => {
  const socket = await raw(await serve({}))
  const more = [uint(0), uint(0), binary(Buffer.from('t')), uint(0), Buffer.from([0x42]), Buffer.from([0x41])]
  const piece = writeFrame(0, 0, code.transfer, more, Buffer.alloc(60000))
  socket.write(Buffer.concat([ready, piece, piece]))
  assert.ok((await closed(socket)).includes('amqp:link:message-size-exceeded'))
})

test('a client that asks without end and never reads is cut before its answers fill the memory', async () => {
  let gone = () => undefined as void
  const cut = new Promise<void>((resolve) => (gone = resolve))
  const socket = await raw(await serve({ closed: () => gone() }))
  socket.pause()
  const echo = writeFrame(0, 0, code.flow, [uint(0), uint(1), uint(0), uint(1), ...nothings(5), Buffer.from([0x41])])
  const many = Buffer.concat(Array<Buffer>(1000).fill(echo))
  socket.write(Buffer.concat([opening, begin]))
  const ask = () => socket.write(many, (error) => void (error ?? ask()))
  ask()
  await cut
})

test('a disposition that covers four thousand million deliveries costs nothing', async () => {
  const socket = await raw(await serve({}))
  const all = writeFrame(0, 0, code.disposition, [Buffer.from([0x41]), uint(0), uint(0xffffffff), Buffer.from([0x41])])
  socket.write(Buffer.concat([ready, all, writeFrame(0, 0, code.close, [])]))
  assert.deepEqual((await closed(socket)).subarray(-12), writeFrame(0, 0, code.close, []))
})

test('another protocol, or another version of this one, is answered with ours or not at all, and closed', async () => {
  const port = await serve({})
  const http = await raw(port)
  http.write('GET / HTTP/1.1\r\n\r\n')
  assert.equal((await closed(http)).length, 0)
  const old = await raw(port)
  old.write(Buffer.from('AMQP\x00\x00\x09\x01', 'latin1'))
  assert.deepEqual(await closed(old), amqp)
})

test('a service that throws is a fault: the client hears of an internal error and no more', async () => {
  const fault = new Error('broken inside')
  const port = await serve({ request: () => Promise.reject(fault) })
  const socket = await raw(port)
  socket.write(Buffer.concat([ready, transfer()]))
  const answer = await closed(socket)
  assert.ok(answer.includes('amqp:internal-error'))
  assert.ok(!answer.includes('broken inside'))
  assert.deepEqual(faults.splice(0), [fault])
})

test('the service hears once that its client is gone, however that came about', async () => {
  let gone = 0
  const { promise: both, resolve } = Promise.withResolvers<void>()
  const port = await serve({ closed: () => ++gone === 2 && resolve() })
  const socket = await raw(port)
  socket.write(opening)
  await once(socket, 'data')
  socket.destroy()
  const polite = await raw(port)
  polite.write(Buffer.concat([opening, writeFrame(0, 0, code.close, [])]))
  await Promise.all([closed(polite), both])
  assert.equal(gone, 2)
})

test('a truncated, changed or arbitrary conversation ends without a fault, cut wherever it may be', async () => {
  const conversation = Buffer.concat([ready, transfer(), writeFrame(0, 0, code.close, [])])
  const changed = fc.array(fc.tuple(fc.nat(conversation.length - 1), fc.nat(255)), { maxLength: 3 }).map((changes) => {
    const bytes = Buffer.from(conversation)
    for (const [at, value] of changes) bytes[at] = value
    return bytes
  })
  const arbitrary = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.concat([opening, begin, bytes]))
  await fc.assert(
    fc.asyncProperty(fc.oneof(changed, arbitrary), fc.nat(400), async (bytes, cut) => {
      const { connection } = inMemory({})
      connection.receive(bytes.subarray(0, cut))
      await new Promise(setImmediate)
      connection.receive(bytes.subarray(cut))
      await new Promise(setImmediate)
      connection.streamClosed()
    }),
    { numRuns: 1500 },
  )
})

function nothings(count: number): Buffer[] {
  return Array<Buffer>(count).fill(Buffer.from([0x40]))
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex')
}
