import assert from 'node:assert/strict'
import { randomBytes, createHash } from 'node:crypto'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import mqtt from 'mqtt-packet'
import { createWebSocketStream, WebSocket, type ClientOptions } from 'ws'
import { x509GroupByRoot } from '../fixtures/enrollments.ts'
import {
  assertAssigned,
  beginSession,
  deviceWithKey,
  enrollDevice,
  receiveReply,
  registerToTheEnd,
  registerTopic,
  subscribePacket,
} from './device.ts'
import { connectPacket, openTls, publishPacket, speakMqtt, type MqttConnection } from './mqtt-client.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.14')
const end = { host: service.deviceHost, port: service.ports.https, ca: service.ca }
let devices = 0

async function openWebSocket(options: ClientOptions = {}, path = '/$iothub/websocket'): Promise<WebSocket> {
  const url = `wss://${end.host}:${end.port}${path}`
  const socket = new WebSocket(url, ['mqtt'], { ca: end.ca, ...options })
  await once(socket, 'open')
  return socket
}

interface Handshake {
  readonly socket: TLSSocket
  /** The header lines of the answer, the status line first. */
  readonly lines: readonly string[]
  readonly accept: string
}

async function shakeHands(path: string, headers: readonly string[]): Promise<Handshake> {
  const socket = await openTls(end)
  const key = randomBytes(16).toString('base64')
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: ${end.host}:${end.port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${key}`,
    'Sec-WebSocket-Version: 13',
    ...headers,
  ]
  socket.write(lines.join('\r\n') + '\r\n\r\n')
  let text = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    if (text.includes('\r\n\r\n')) break
  }
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  return { socket, lines: text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n'), accept }
}

describe('the WebSocket handshake [device-wire §3.7]', { concurrency: 8 }, () => {
  for (const spelling of ['mqtt', 'MQTT', 'Mqtt']) {
    test(`the subprotocol ${spelling} is echoed in the client's spelling`, async () => {
      const { socket, lines, accept } = await shakeHands('/$iothub/websocket', [`Sec-WebSocket-Protocol: ${spelling}`])
      assert.match(lines[0] ?? '', /^HTTP\/1\.1 101 /)
      assert.ok(lines.includes(`Sec-WebSocket-Protocol: ${spelling}`), lines.join('\n'))
      assert.ok(lines.includes('Connection: Upgrade'), 'Paho Java compares it literally')
      assert.ok(lines.some((line) => /^upgrade: websocket$/i.test(line)))
      assert.ok(lines.includes(`Sec-WebSocket-Accept: ${accept}`))
      socket.destroy()
    })
  }

  for (const path of ['/', '/mqtt', '/$iothub/websocket?iothub-no-client-cert=true', '/any/thing?x=%zz']) {
    test(`the path ${path} is as good as any`, async () => {
      const { socket, lines } = await shakeHands(path, ['Sec-WebSocket-Protocol: mqtt'])
      assert.match(lines[0] ?? '', /^HTTP\/1\.1 101 /)
      socket.destroy()
    })
  }

  test('of several offered subprotocols the one that is spoken here is chosen', async () => {
    const { socket, lines } = await shakeHands('/', ['Sec-WebSocket-Protocol: mqttv3.1, chat, MQTT'])
    assert.ok(lines.includes('Sec-WebSocket-Protocol: MQTT'), lines.join('\n'))
    socket.destroy()
  })

  test('compression is offered by Node and declined', async () => {
    const offer = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits'
    const { socket, lines } = await shakeHands('/', ['Sec-WebSocket-Protocol: mqtt', offer])
    assert.match(lines[0] ?? '', /^HTTP\/1\.1 101 /)
    assert.ok(lines.every((line) => !/^sec-websocket-extensions/i.test(line)))
    socket.destroy()
  })

  test('nothing follows the 101 until the client speaks', async () => {
    const { socket } = await shakeHands('/mqtt', ['Sec-WebSocket-Protocol: mqtt'])
    const spoke = once(socket, 'data').then(() => 'spoke')
    assert.equal(await Promise.race([spoke, wait(500, 'silent')]), 'silent')
    socket.destroy()
  })

  for (const [what, headers] of [
    ['an unknown subprotocol', ['Sec-WebSocket-Protocol: chat']],
    ['no subprotocol', []],
  ] as const) {
    test(`${what} is refused with a client error`, async () => {
      const { socket, lines } = await shakeHands('/$iothub/websocket', headers)
      assert.match(lines[0] ?? '', /^HTTP\/1\.1 4\d\d /)
      socket.destroy()
    })
  }
})

describe('MQTT in WebSocket frames [device-wire §3.7]', { concurrency: 8 }, () => {
  test('a device registers on any path', async () => {
    const device = await enrollDevice(service, `socket-${++devices}`)
    await using connection = speakMqtt(createWebSocketStream(await openWebSocket({}, '/mqtt')))
    await beginSession(connection, device)
    assertAssigned(await registerToTheEnd(connection), device.registrationId)
  })

  test('all packets may come in one frame', async () => {
    const device = await enrollDevice(service, `socket-${++devices}`)
    await using connection = speakMqtt(createWebSocketStream(await openWebSocket()))
    const connect = connectPacket(device.registrationId, device.userName, device.token())
    connection.send(connect, subscribePacket(), publishPacket(registerTopic('merged')))
    await takeAnswers(connection, 'merged')
  })

  test('a packet may be split over frames, and a message over continuation frames', async () => {
    const device = await enrollDevice(service, `socket-${++devices}`)
    const socket = await openWebSocket()
    await using connection = speakMqtt(createWebSocketStream(socket))
    const connect = mqtt.generate(connectPacket(device.registrationId, device.userName, device.token()))
    for (const byte of connect.subarray(0, 30)) socket.send(Buffer.of(byte))
    socket.send(connect.subarray(30, 60), { fin: false })
    socket.send(connect.subarray(60), { fin: true })
    const rest = Buffer.concat(
      [subscribePacket(), publishPacket(registerTopic('split'))].map((packet) => mqtt.generate(packet)),
    )
    socket.send(rest.subarray(0, 11))
    socket.send(rest.subarray(11))
    await takeAnswers(connection, 'split')
  })

  test('what is sent to the device is in binary frames', async () => {
    const device = await enrollDevice(service, `socket-${++devices}`)
    const socket = await openWebSocket()
    socket.send(mqtt.generate(connectPacket(device.registrationId, device.userName, device.token())))
    const [data, isBinary] = await once(socket, 'message')
    assert.equal(isBinary, true)
    assert.deepEqual(data, Buffer.from('20020000', 'hex'))
    socket.terminate()
  })

  test('a ping is answered with a pong that carries the same bytes', async () => {
    const socket = await openWebSocket()
    socket.ping('are you there')
    assert.equal(String((await once(socket, 'pong'))[0]), 'are you there')
    socket.terminate()
  })

  test('a group device is known by the certificate of its TLS handshake', async () => {
    const registrationId = `socket-${++devices}`
    const { path, body, credential } = await x509GroupByRoot(registrationId)
    await service.operate('PUT', path, body)
    assert.ok('certificate' in credential)
    const socket = await openWebSocket({ cert: credential.certificate, key: credential.key })
    await using connection = speakMqtt(createWebSocketStream(socket))
    connection.send(
      connectPacket(registrationId, deviceWithKey(service, registrationId, '').userName),
      subscribePacket(),
    )
    assert.equal((await connection.receive('connack')).returnCode, 0)
    await connection.receive('suback')
    assert.equal((await registerToTheEnd(connection))['status'], 'assigned')
  })

  test('a connection over WebSocket takes over the one over TLS, and the other way round', async () => {
    const device = await enrollDevice(service, `socket-${++devices}`)
    const connections: MqttConnection[] = []
    for (let turn = 0; turn < 3; turn += 1) {
      const stream =
        turn % 2 === 0
          ? createWebSocketStream(await openWebSocket())
          : await openTls({ ...end, port: service.ports.mqtt })
      const connection = speakMqtt(stream)
      await beginSession(connection, device)
      await registerToTheEnd(connection)
      await connections.at(-1)?.closed()
      connections.push(connection)
    }
    connections.at(-1)?.drop()
  })
})

describe('WebSocket traffic that no device sends', { concurrency: 8 }, () => {
  const closing: readonly [string, (socket: WebSocket) => void][] = [
    ['a text frame', (socket) => socket.send('not MQTT')],
    ['noise', (socket) => socket.send(Buffer.alloc(64, 0xee))],
    ['a message of 1 MB', (socket) => socket.send(Buffer.alloc(1024 * 1024, 0x30))],
    ['a PINGREQ before CONNECT', (socket) => socket.send(Buffer.from('c000', 'hex'))],
    ['a PUBLISH with QoS 2 before CONNECT', (socket) => socket.send(mqtt.generate(publishPacket('a', '', { qos: 2 })))],
    ['a close frame', (socket) => socket.close(1000)],
  ]
  for (const [what, send] of closing) {
    test(`${what} closes the connection`, async () => {
      const socket = await openWebSocket()
      socket.on('error', () => undefined)
      const closed = once(socket, 'close')
      send(socket)
      await closed
    })
  }

  for (const [what, bytes] of [
    ['a frame that is not masked', Buffer.from('8203000000', 'hex')],
    ['a frame of 2^62 bytes', Buffer.from('82ff400000000000000000000000', 'hex')],
    ['a reserved opcode', Buffer.from('838000000000', 'hex')],
    ['a continuation of nothing', Buffer.from('808000000000', 'hex')],
    ['noise instead of frames', Buffer.alloc(100, 0xff)],
  ] as const) {
    test(`${what} closes the connection`, async () => {
      const { socket } = await shakeHands('/', ['Sec-WebSocket-Protocol: mqtt'])
      socket.on('error', () => undefined)
      socket.on('data', () => undefined)
      const closed = once(socket, 'close')
      socket.write(bytes)
      await closed
    })
  }
})

async function takeAnswers(connection: MqttConnection, rid: string): Promise<void> {
  assert.equal((await connection.receive('connack')).returnCode, 0)
  await connection.receive('suback')
  await connection.receive('puback')
  assert.equal((await receiveReply(connection)).rid, rid)
}
