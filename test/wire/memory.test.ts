import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { generate } from 'mqtt-packet'
import { WebSocket } from 'ws'
import { askHttps } from '../fixtures/https.ts'
import { connectionMembers } from '../fixtures/service.ts'
import { ask, attach, described, frame, header, long, nothing, openAmqp, openRaw } from './amqp-client.ts'
import { plain, register, text, uint, zero } from './amqp-client.ts'
import { enrollDevice, mqttPort, openSession, registerTopic } from './device.ts'
import { connectPacket, openTls, publishPacket } from './mqtt-client.ts'
import { serviceUnderTest } from './subject.ts'

const mebibyte = 1 << 20
/** What all connections may hold together. */
const budget = 16
const service = await serviceUnderTest('127.30.63', ['--connection-memory', String(budget)])
const { deviceHost, ca, ports } = service
const device = await enrollDevice(service, 'modest')
const facts = await readFile(join(service.dataFolder, 'connection.env'), 'utf8')
const fact = (name: string): string => new RegExp(`^${name}='(.*)'$`, 'm').exec(facts)?.[1] ?? ''
const management = new URL(fact('HUBWARD_MANAGEMENT_ENDPOINT'))
const https = { host: deviceHost, port: ports.https, ca }
const hubHost = connectionMembers(service.hubConnectionStrings[0] ?? '')['HostName'] ?? ''

async function metric(name: string): Promise<number> {
  const headers = { authorization: `Bearer ${fact('HUBWARD_MANAGEMENT_TOKEN')}` }
  const { text: all } = await askHttps(management.hostname, Number(management.port), ca, {
    method: 'GET',
    path: '/metrics',
    headers,
  })
  const value = new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\d+)$`, 'm').exec(all)?.[1]
  assert.ok(value !== undefined, `${name} is no metric`)
  return Number(value)
}

const held = () => metric('dps_connection_memory_bytes')

/** Write as fast as the other side reads; until it is written, or the other side has closed. */
async function pour(socket: TLSSocket, bytes: Buffer, times: number): Promise<void> {
  socket.on('error', () => undefined)
  socket.resume()
  for (let count = 0; count < times && !socket.destroyed; count++) {
    if (!socket.write(bytes))
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closing(socket)])
  }
}

/** Settles when the connection is closed, by whomever and however. */
function closing(socket: TLSSocket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

/** What the process has more in memory after this than before, in MiB. */
async function growth(flood: () => Promise<void>): Promise<number> {
  const before = await service.resident()
  await flood()
  return ((await service.resident()) - before) / mebibyte
}

async function bystanderIsServed(): Promise<void> {
  const connection = openAmqp(service, plain(device))
  assert.equal((await ask(await attach(connection, device.resource), register, '{}')).is, 'answered')
  connection.close()
}

describe('what arrives costs its bytes, and not its pieces', () => {
  const login = frame(0x41, [text('PLAIN', 0xa3), long(Buffer.from(`\0${device.resource}\0${device.token()}`))], {
    type: 1,
  })
  const target = described(0x29, [text(device.resource)])
  const begun = Buffer.concat([
    header.sasl,
    login,
    header.amqp,
    frame(0x10, [text('c')]),
    frame(0x11, [nothing, zero, uint(100), uint(100)]),
    frame(0x12, [text('s'), zero, Buffer.from([0x42]), nothing, nothing, nothing, target]),
  ])
  const more = frame(0x14, [zero, zero, long(Buffer.from('t')), zero, nothing, Buffer.from([0x41])])

  test('AMQP transfers with nothing in them, and more to come', async () => {
    const socket = await openRaw(service)
    socket.write(begun)
    const empty = Buffer.concat(Array<Buffer>(1000).fill(more))
    const grown = await growth(() => pour(socket, empty, 300))
    assert.ok(!socket.destroyed, 'it is no fault to send nothing')
    assert.ok((await held()) < mebibyte)
    assert.ok(grown < 150, `${grown} MiB for 300,000 transfers`)
    const again = await growth(() => pour(socket, empty, 900))
    assert.ok(!socket.destroyed)
    assert.ok(again < 45, `${again} MiB for 900,000 more, which is more than 50 bytes for each`)
    socket.destroy()
  })

  test('AMQP messages that nobody has answered yet are bounded however small, and links attached anew', async () => {
    const whole = frame(0x14, [zero, zero, long(Buffer.from('t')), zero])
    const detach = frame(0x16, [zero, Buffer.from([0x41])])
    const again = frame(0x12, [text('s'), zero, Buffer.from([0x42]), nothing, nothing, nothing, target])
    const block = Buffer.concat([...Array<Buffer>(10).fill(whole), detach, again])
    const messages = Buffer.concat(Array<Buffer>(100).fill(block))
    // Where the service answers as fast as this machine can ask, nothing waits that could be too much, and nothing is cut.
    const flood = async () => {
      const socket = await openRaw(service)
      socket.write(begun)
      await Promise.race([pour(socket, messages, 200), wait(10_000, undefined, { ref: false })])
      socket.destroy()
    }
    await flood()
    const grown = await growth(flood)
    assert.ok(grown < 60, `${grown} MiB for 200,000 messages more`)
    for (let asked = 0; (await held()) > mebibyte; asked++) {
      assert.ok(asked < 100, 'what waited is let go with its connection')
      await wait(50)
    }
  })

  test('bodies of HTTP in chunks of one byte', async () => {
    const chunk = Buffer.from('1\r\n \r\n'.repeat(10_000))
    const open: TLSSocket[] = []
    const grown = await growth(async () => {
      for (let count = 0; count < 10; count++) {
        const socket = await openTls(https)
        open.push(socket)
        const head = `PUT ${device.path}/register?api-version=2019-03-31 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`
        socket.write(head)
        await pour(socket, chunk, 9)
      }
      await wait(300)
    })
    assert.ok(grown < 150, `${grown} MiB for 10 bodies of 90,000 bytes`)
    assert.ok((await held()) < 5 * mebibyte)
    for (const socket of open) socket.destroy()
  })

  for (const [what, host, path] of [
    ['a hub', hubHost, '/devices/x?api-version=2021-04-12'],
    ['a twin', hubHost, '/twins/x?api-version=2021-04-12'],
    ['the service API', deviceHost, '/enrollments/x?api-version=2021-10-01'],
    ['a path that is nowhere', deviceHost, '/x'],
  ] as const) {
    test(`bodies in chunks of one byte for ${what}, by nobody who has said who they are`, async () => {
      const chunk = Buffer.from('1\r\n \r\n'.repeat(10_000))
      const flood = async () => {
        const socket = await openTls(https)
        socket.write(`PUT ${path} HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`)
        await pour(socket, chunk, 40)
        socket.destroy()
      }
      const warm = await growth(flood)
      const grown = await growth(flood)
      assert.ok(warm < 150, `${warm} MiB for the first 400,000 chunks`)
      assert.ok(grown < 30, `${grown} MiB for 400,000 chunks, which is more than 75 bytes for each`)
    })
  }

  test('MQTT packets in chunks of one byte', async () => {
    const socket = await openTls(mqttPort(service))
    const packet = generate(connectPacket(device.registrationId, device.userName, device.token()))
    for (const byte of packet) socket.write(Buffer.from([byte]))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    assert.deepEqual([...answer], [0x20, 2, 0, 0])
    socket.destroy()
  })

  test('MQTT pings by the hundred thousand are each answered, or their connection is cut where they are not read', async () => {
    const session = await openSession(service, device)
    session.drop()
    const connect = generate(connectPacket(device.registrationId, device.userName, device.token()))
    const pings = Buffer.from('c000'.repeat(32_000), 'hex')
    const reading = await openTls(mqttPort(service))
    const all = new Promise<void>((resolve) => {
      let left = 4 + 5 * 64_000
      reading.on('data', ({ length }: Buffer) => (left -= length) <= 0 && resolve())
    })
    reading.write(connect)
    await pour(reading, pings, 5)
    await all
    reading.destroy()

    const silent = await openTls(mqttPort(service))
    silent.on('error', () => undefined)
    silent.write(connect)
    silent.pause()
    const grown = await growth(async () => {
      for (let count = 0; count < 60 && !silent.destroyed; count++) {
        const closed = closing(silent)
        if (!silent.write(pings)) await Promise.race([once(silent, 'drain'), closed, wait(200)])
      }
    })
    assert.ok(grown < 150, `${grown} MiB`)
    silent.destroy()
  })

  test('a SUBSCRIBE of very many filters breaks the protocol', async () => {
    const session = await openSession(service, device)
    const subscriptions = Array.from({ length: 129 }, () => ({ topic: 'a', qos: 0 as const }))
    session.send({ cmd: 'subscribe', messageId: 1, subscriptions })
    await session.closed()
  })

  test('HTTP requests that do not wait for the answers before them', async () => {
    const requests = Buffer.from('GET /x HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2000))
    const grown = await growth(async () => {
      for (let count = 0; count < 20; count++) {
        const socket = await openTls(https)
        const closed = closing(socket)
        await pour(socket, requests, 3)
        await closed
      }
    })
    assert.ok(grown < 150, `${grown} MiB`)
  })

  test('fragments and pings of a WebSocket', async () => {
    const open = async () => {
      const socket = new WebSocket(`wss://${deviceHost}:${ports.https}/$iothub/websocket`, 'mqtt', { ca })
      socket.on('error', () => undefined)
      await once(socket, 'open')
      return socket
    }
    const fragmented = await open()
    const closed = once(fragmented, 'close')
    for (let count = 0; count < 300; count++) fragmented.send(Buffer.alloc(0), { fin: false, binary: true })
    await closed

    const pinging = await open()
    pinging.pause()
    const grown = await growth(async () => {
      for (let count = 0; count < 100_000 && pinging.readyState === WebSocket.OPEN; count++) {
        pinging.ping(Buffer.alloc(100))
        if (count % 500 === 0) await wait(1)
      }
      await wait(300)
    })
    assert.ok(grown < 150, `${grown} MiB`)
    pinging.terminate()

    const polite = await open()
    polite.ping('are you there')
    assert.equal(String((await once(polite, 'pong'))[0]), 'are you there')
    polite.terminate()
  })
})

describe('nobody takes memory for a body before they have said who they are', () => {
  for (const [what, method, path] of [
    ['a hub', 'PUT', '/devices/x?api-version=2021-04-12'],
    ['the service API', 'PUT', '/enrollments/x?api-version=2021-10-01'],
  ] as const) {
    test(`${what} refuses by the headers`, async () => {
      const socket = await openTls(https)
      const host = what === 'a hub' ? hubHost : deviceHost
      socket.write(`${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 90000\r\n\r\n`)
      const [answer] = (await once(socket, 'data')) as [Buffer]
      assert.match(String(answer), /^HTTP\/1\.1 401 /)
      socket.destroy()
    })
  }

  test('the control plane refuses by the headers', async () => {
    const socket = await openTls({ host: management.hostname, port: Number(management.port), ca })
    socket.write(`PUT /admin/v1/issuers/x HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    assert.match(String(answer), /^HTTP\/1\.1 401 /)
    socket.destroy()
  })
})

test('where all hold too much together, those that hold most make room, and others are served', async () => {
  const packet = generate(publishPacket(registerTopic('1'), ' '.repeat(250_000)))
  const hoarders: TLSSocket[] = []
  for (let count = 0; count < 80; count++) {
    const socket = await openTls(mqttPort(service))
    socket.on('error', () => undefined)
    await new Promise<void>((resolve) => socket.write(packet.subarray(0, 240_000), () => resolve()))
    hoarders.push(socket)
  }
  await wait(500)
  assert.ok(
    hoarders.some(({ destroyed }) => destroyed),
    'some were cut',
  )
  assert.ok((await held()) <= budget * mebibyte)
  assert.ok((await metric('dps_connections_cut_for_memory_total{bound="total"}')) > 0)
  await service.logged(/connections were cut because of the memory that they held/)
  await bystanderIsServed()
  for (const socket of hoarders) socket.destroy()
  for (const limit = Date.now() + 5000; (await held()) > mebibyte; await wait(50)) {
    assert.ok(Date.now() < limit, 'what they held is given back')
  }
})
