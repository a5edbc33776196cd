import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { openFiles } from './flood.ts'
import { openTls } from './mqtt-client.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.16')
const clients = 20
/** Descriptors that the databases may open as they are used. */
const fewMore = 4
/** Milliseconds: much less than admission gives to whoever proves nothing, which would let go of them, too. */
const soon = 6_000

function upgrade(...headers: readonly string[]): string {
  const lines = ['GET / HTTP/1.1', 'Host: h', 'Connection: Upgrade', 'Upgrade: websocket', ...headers]
  return `${lines.join('\r\n')}\r\n\r\n`
}

const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
const version = 'Sec-WebSocket-Version: 13'
const protocol = 'Sec-WebSocket-Protocol: mqtt'

const refused: readonly [what: string, port: keyof typeof service.ports, bytes: string][] = [
  ['an upgrade to an unknown subprotocol', 'https', upgrade(key, version, 'Sec-WebSocket-Protocol: x')],
  ['an upgrade to no subprotocol', 'https', upgrade(key, version)],
  ['an upgrade without a key', 'https', upgrade(version, protocol)],
  ['an upgrade of another version', 'https', upgrade(key, 'Sec-WebSocket-Version: 99', protocol)],
  ['an upgrade and a broken frame', 'https', `${upgrade(key, version, protocol)}\xf2\x80\0\0\0\0`],
  ['a request that is none', 'https', 'GET\r\n\r\n'],
  [
    'a request that is answered 401 before its body',
    'https',
    'PUT /enrollments/x HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n',
  ],
  ['CONNECT', 'https', 'CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n'],
  ['an MQTT packet that is none', 'mqtt', '\xf0\0'],
  ['an AMQP header that is none', 'amqp', 'AMQP\x09\x09\x09\x09'],
]

for (const [what, port, bytes] of refused) {
  test(`${what}: a client that goes on sending, and leaves, leaves nothing behind`, async () => {
    const before = openFiles(service)
    await Promise.all(Array.from({ length: clients }, () => sendOnAndLeave(port, Buffer.from(bytes, 'latin1'))))
    const limit = Date.now() + soon
    while (openFiles(service) > before + fewMore && Date.now() < limit) await wait(50)
    assert.ok(openFiles(service) <= before + fewMore, `${openFiles(service)} files are open, where ${before} were`)
  })
}

/** More than a socket's buffers hold, so that some of it is not read unless somebody reads on. */
async function sendOnAndLeave(port: keyof typeof service.ports, bytes: Buffer): Promise<void> {
  const socket = await openTls({ host: service.deviceHost, port: service.ports[port], ca: service.ca })
  socket.on('error', () => socket.destroy())
  const gone = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  socket.write(bytes)
  for (let writes = 0; writes < 16 && socket.writable; writes++) socket.write(Buffer.alloc(1 << 15))
  await Promise.race([gone, wait(300)])
  socket.destroy()
}
