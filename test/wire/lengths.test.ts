import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import mqtt from 'mqtt-packet'
import { frame, header, text } from './amqp-client.ts'
import { enrollDevice, subscribePacket } from './device.ts'
import { connectPacket, openTls } from './mqtt-client.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.71')
const device = await enrollDevice(service, 'lengths')
const register = `PUT ${device.path}/register?api-version=2021-06-01 HTTP/1.1\r\nHost: h\r\n`

/** What the service says to these bytes, until it closes the connection or has said nothing more for a second. */
async function said(port: keyof typeof service.ports, bytes: Buffer): Promise<{ heard: string; closed: boolean }> {
  const socket = await openTls({ host: service.deviceHost, port: service.ports[port], ca: service.ca })
  const parts: Buffer[] = []
  let quietSince = performance.now()
  let closed = false
  socket.on('data', (part: Buffer) => {
    parts.push(part)
    quietSince = performance.now()
  })
  socket.on('error', () => undefined)
  for (const event of ['end', 'close']) socket.on(event, () => (closed = true))
  socket.write(bytes)
  const isOver = (): boolean => closed || performance.now() - quietSince > 1000
  while (!isOver()) await wait(20)
  socket.destroy()
  return { heard: Buffer.concat(parts).toString('latin1'), closed }
}

describe('lengths that HTTP announces', { concurrency: 4 }, () => {
  const lengths = ['-1', '+5', '1e3', '0x10', 'five', '5 5', '5, 6', '18446744073709551616', '9'.repeat(400), '']
  for (const length of lengths) {
    test(`a Content-Length of ${JSON.stringify(length.slice(0, 24))} is refused, and the connection closed`, async () => {
      const { heard, closed } = await said('https', Buffer.from(`${register}Content-Length: ${length}\r\n\r\n{}`))
      assert.match(heard, /^HTTP\/1\.1 4\d\d |^$/)
      assert.ok(closed)
    })
  }

  for (const length of ['10000000', '2147483648', '4294967296', '9007199254740993']) {
    test(`a Content-Length of ${length} is answered before it is read`, async () => {
      const { heard } = await said('https', Buffer.from(`${register}Content-Length: ${length}\r\n\r\n{}`))
      assert.match(heard, /^HTTP\/1\.1 4\d\d /)
    })
  }

  for (const size of ['-1', 'g', '0x5', 'fffffffffffffffff', '8000000000000000', ' ', '1;'.padEnd(40_000, 'x')]) {
    test(`a chunk of ${JSON.stringify(size.slice(0, 24))} bytes is refused or cut off`, async () => {
      const { heard } = await said(
        'https',
        Buffer.from(`${register}Transfer-Encoding: chunked\r\n\r\n${size}\r\n{}\r\n`),
      )
      assert.match(heard, /^(?:HTTP\/1\.1 4\d\d |$)/)
    })
  }
})

describe('lengths that MQTT announces', { concurrency: 4 }, () => {
  const begun = Buffer.concat(
    [connectPacket(device.registrationId, device.userName, device.token()), subscribePacket()].map((packet) =>
      mqtt.generate(packet),
    ),
  )
  const breaches: Readonly<Record<string, string>> = {
    'a remaining length of five bytes': '30ffffffff7f',
    'the greatest remaining length': '30ffffff7f',
    'a remaining length one above the limit': '3081a010', // 266,241
    'a topic longer than its packet': '3004ffff6162',
    'a topic of no room for its length': '300100',
    'a SUBSCRIBE whose filter is longer than its packet': '8206000100ff6100',
    'an UNSUBSCRIBE without a filter': 'a2020001',
    'a PUBACK of one byte': '400101',
    'a CONNECT again': '100c00044d5154540402003c0000',
  }
  for (const [what, hex] of Object.entries(breaches)) {
    test(`${what} closes its connection`, async () => {
      const { closed } = await said('mqtt', Buffer.concat([begun, Buffer.from(hex, 'hex')]))
      assert.ok(closed)
    })
  }

  for (const [what, hex] of [
    ['nothing in it', '1000'],
    ['a protocol name longer than itself', '100cffff4d5154540402003c0000'],
    ['a client identifier longer than itself', '100c00044d5154540402003cffff'],
    ['a password longer than itself', '101100044d51545404c2003c000161000161ffff'],
  ] as const) {
    test(`a CONNECT with ${what} closes its connection`, async () => {
      assert.ok((await said('mqtt', Buffer.from(hex, 'hex'))).closed)
    })
  }
})

describe('lengths that AMQP and WebSockets announce', { concurrency: 4 }, () => {
  const opened = Buffer.concat([header.amqp, frame(0x10, [text('c')])])
  for (const size of [0, 1, 4, 7, 65_537, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
    test(`a frame of ${size} bytes closes its connection, in SASL and after it`, async () => {
      const bytes = Buffer.from([0, 0, 0, 0, 2, 0, 0, 0])
      bytes.writeUInt32BE(size)
      for (const before of [header.sasl, opened]) assert.ok((await said('amqp', Buffer.concat([before, bytes]))).closed)
    })
  }

  for (const offset of [0, 1, 3, 255]) {
    test(`a body that begins at ${offset} words closes its connection`, async () => {
      const bytes = Buffer.from([0, 0, 0, 12, offset, 0, 0, 0, 0, 0x53, 0x13, 0x45])
      assert.ok((await said('amqp', Buffer.concat([opened, bytes]))).closed)
    })
  }

  const upgrade = Buffer.from(
    'GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n',
  )
  for (const length of [2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
    test(`a WebSocket frame of ${length} bytes closes its connection`, async () => {
      const bytes = Buffer.alloc(14)
      bytes.writeUInt16BE(0x82ff)
      bytes.writeBigUInt64BE(length, 2)
      const { heard, closed } = await said('https', Buffer.concat([upgrade, bytes]))
      assert.match(heard, /^HTTP\/1\.1 101 /)
      assert.ok(closed)
    })
  }
})
