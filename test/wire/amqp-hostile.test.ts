import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import {
  ask,
  attach,
  frame,
  header,
  long,
  nothing,
  openAmqp,
  openRaw,
  plain,
  register,
  symbol,
  text,
  uint,
  untilClosed,
  zero,
} from './amqp-client.ts'
import { assertAssigned, enrollDevice } from './device.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.41')
const device = await enrollDevice(service, 'bystander')

const saslInit = (mechanism: string, response: Buffer) => frame(0x41, [symbol(mechanism), long(response)], { type: 1 })
const saslResponse = frame(0x43, [long(Buffer.from([0]))], { type: 1 })
const login = saslInit('PLAIN', Buffer.from(`\0${device.resource}\0${device.token()}`))
const authenticated = Buffer.concat([header.sasl, login, header.amqp])
const opened = Buffer.concat([authenticated, frame(0x10, [text('c')])])
const begun = Buffer.concat([opened, frame(0x11, [nothing, zero, uint(100), uint(100)])])

const broken: Record<string, Buffer> = {
  'another protocol': Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
  'a header of AMQP 0-9-1': Buffer.from('AMQP\x00\x00\x09\x01', 'latin1'),
  'the TLS header of AMQP': Buffer.from('AMQP\x02\x01\x00\x00', 'latin1'),
  'an AMQP frame where SASL is due': Buffer.concat([header.sasl, frame(0x10, [text('c')])]),
  'a response before the mechanism is chosen': Buffer.concat([header.sasl, saslResponse]),
  'a SASL frame beyond its limit': Buffer.concat([header.sasl, saslInit('PLAIN', randomBytes(4000))]),
  'a SASL frame that announces 4 GB': Buffer.concat([header.sasl, Buffer.from('ffffffff02010000', 'hex')]),
  'a SASL outcome from the client': Buffer.concat([header.sasl, frame(0x44, [Buffer.from([0x50, 0])], { type: 1 })]),
  'a second SASL header': Buffer.concat([header.sasl, login, header.sasl]),
  'a TPM opening without its keys': Buffer.concat([header.sasl, saslInit('TPM', Buffer.from('\0scope'))]),
  'a TPM that answers everything with nothing': Buffer.concat([
    header.sasl,
    saslInit('TPM', Buffer.from('\0scope\0id\0key')),
    ...Array<Buffer>(50).fill(saslResponse),
  ]),
  'BEGIN before OPEN': Buffer.concat([authenticated, frame(0x11, [nothing, zero, uint(1), uint(1)])]),
  'a frame that announces 4 GB': Buffer.concat([opened, Buffer.from('ffffffff02000000', 'hex')]),
  'a frame beyond the announced size': Buffer.concat([opened, Buffer.from('0001000102000000', 'hex')]),
  'a frame smaller than its header': Buffer.concat([opened, Buffer.from('0000000402000000', 'hex')]),
  'an array of four thousand million nothings': Buffer.concat([
    opened,
    Buffer.from('0000001602000000005313f000000005ffffffff40', 'hex'),
    Buffer.from([0x40]),
  ]),
  'a transfer on a link that is not there': Buffer.concat([begun, frame(0x14, [zero, zero, text('t', 0xa0)])]),
  'a session on a channel that is taken': Buffer.concat([begun, frame(0x11, [nothing, zero, uint(1), uint(1)])]),
  'a performative that does not exist': Buffer.concat([begun, frame(0x7f, [])]),
}

for (const [what, bytes] of Object.entries(broken))
  test(`${what} ends its connection and no other`, async () => {
    const neighbour = openAmqp(service, plain(device))
    const links = await attach(neighbour, device.resource)
    const socket = await openRaw(service)
    socket.write(bytes)
    const answer = await untilClosed(socket)
    assert.ok(!answer.includes(device.registrationId), 'nothing of the neighbour is in the answer')
    assertAssigned((await ask(links, register, '{}')).body, device.registrationId)
    neighbour.close()
  })

test('a conversation that is cut off after any byte leaves nothing behind', async () => {
  const whole = Buffer.concat([begun, frame(0x18, [])])
  for (let length = 0; length < whole.length; length += 7) {
    const socket = await openRaw(service)
    socket.resume().write(whole.subarray(0, length))
    if (length % 2 === 0) socket.destroy()
    else socket.end()
    await once(socket, 'close')
  }
})

test('garbage on a hundred connections, after a good beginning or none, does not disturb anyone', async () => {
  const sockets = await Promise.all(Array.from({ length: 100 }, () => openRaw(service)))
  const closed = sockets.map((socket, at) => {
    socket.write(
      Buffer.concat([[Buffer.alloc(0), header.sasl, authenticated, opened, begun][at % 5]!, randomBytes(3000)]),
    )
    return goneOr(socket, 5000)
  })
  const connection = openAmqp(service, plain(device))
  assertAssigned((await ask(await attach(connection, device.resource), register, '{}')).body, device.registrationId)
  connection.close()
  await Promise.all(closed)
  for (const socket of sockets) socket.destroy()
})

test('two hundred clients that never end their SASL exchange hold up nobody', async () => {
  const sockets = await Promise.all(Array.from({ length: 200 }, () => openRaw(service)))
  for (const socket of sockets) {
    socket.write(Buffer.concat([header.sasl, saslInit('TPM', Buffer.from(`\0${service.idScope}\0bystander\0key`))]))
  }
  const connection = openAmqp(service, plain(device))
  assertAssigned((await ask(await attach(connection, device.resource), register, '{}')).body, device.registrationId)
  connection.close()
  for (const socket of sockets) socket.destroy()
})

test('over a WebSocket the bytes may be cut anywhere, on any path', async () => {
  for (const path of ['/', '/$iothub/websocket?iothub-no-client-cert=true']) {
    const url = `wss://${service.deviceHost}:${service.ports.https}${path}`
    const socket = new WebSocket(url, 'AMQPWSB10', { ca: service.ca })
    await once(socket, 'open')
    assert.equal(socket.protocol, 'AMQPWSB10')
    let answer = Buffer.alloc(0)
    socket.on('message', (part: Buffer) => (answer = Buffer.concat([answer, part])))
    for (const byte of Buffer.concat([begun, frame(0x18, [])])) socket.send(Buffer.from([byte]))
    await once(socket, 'close')
    assert.ok(answer.includes('IoTDPSGW_'))
    assert.deepEqual(answer.subarray(-12), Buffer.from('0000000c0200000000531845', 'hex'))
  }
})

/** Some garbage only looks like the beginning of something longer, which is waited for. */
async function goneOr(socket: TLSSocket, milliseconds: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const enough = setTimeout(resolve, milliseconds)
  socket.resume().once('close', resolve)
  await promise
  clearTimeout(enough)
}
