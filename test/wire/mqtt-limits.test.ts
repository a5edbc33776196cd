import assert from 'node:assert/strict'
import { connect as connectTcp } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import mqtt from 'mqtt-packet'
import {
  beginSession,
  enrollDevice,
  mqttPort,
  openSession,
  receiveReply,
  registerToTheEnd,
  registerTopic,
  subscribePacket,
  type Device,
} from './device.ts'
import { connectPacket, openMqtt, openTls, publishPacket, speakMqtt, type MqttConnection } from './mqtt-client.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.16')
const port = mqttPort(service)
let devices = 0
const newDevice = (entry: object = {}): Promise<Device> => enrollDevice(service, `limits-${++devices}`, entry)

describe('MQTT traffic that no device sends [device-wire §3.6]', { concurrency: 8 }, () => {
  const closing: readonly [string, (session: MqttConnection) => void][] = [
    ['a PUBLISH with QoS 2', (session) => session.send(publishPacket(registerTopic('1'), '', { qos: 2 }))],
    ['a PUBLISH to a foreign topic', (session) => session.send(publishPacket('devices/x/messages/events/'))],
    ['a PUBLISH to a response topic', (session) => session.send(publishPacket('$dps/registrations/res/200/?$rid=1'))],
    [
      'a register request without $rid',
      (session) => session.send(publishPacket('$dps/registrations/PUT/iotdps-register/')),
    ],
    ['a PUBLISH over 96 KB', (session) => session.send(publishPacket(registerTopic('1'), 'x'.repeat(97 * 1024)))],
    ['the announcement of 256 MB', (session) => session.sendBytes(Buffer.from('32ffffff7f', 'hex'))],
    ['a length of five bytes', (session) => session.sendBytes(Buffer.from('32ffffffff01', 'hex'))],
    ['an unknown packet type', (session) => session.sendBytes(Buffer.from('f000', 'hex'))],
    ['a packet only servers send', (session) => session.send({ cmd: 'pingresp' })],
    ['a SUBSCRIBE without its flags', (session) => session.sendBytes(Buffer.from('80050001000061', 'hex'))],
    ['a SUBSCRIBE without filters', (session) => session.sendBytes(Buffer.from('82020001', 'hex'))],
    ['a topic that ends in the middle', (session) => session.sendBytes(Buffer.from('300400ff2464', 'hex'))],
  ]
  for (const [what, send] of closing) {
    test(`${what} closes the connection`, async () => {
      await using session = await openSession(service, await newDevice())
      send(session)
      await session.closed()
    })
  }

  test('a connection that ends within a packet, at any place, does no harm', async () => {
    const device = await newDevice()
    const connect = mqtt.generate(connectPacket(device.registrationId, device.userName, device.token()))
    for (const length of [0, 1, 2, 5, 20, connect.length - 1]) {
      const connection = await openMqtt(port)
      connection.sendBytes(connect.subarray(0, length))
      connection.drop()
    }
    await using session = await openSession(service, device)
    assert.equal((await registerToTheEnd(session))['status'], 'assigned')
  })

  for (const [what, packetType] of [
    ['a PUBLISH', 0x30],
    ['a CONNECT', 0x10],
  ] as const) {
    test(`noise in the shape of ${what} closes the connection`, async () => {
      for (let seed = 1; seed <= 30; seed += 1) {
        await using connection = await openMqtt(port)
        connection.sendBytes(Buffer.concat([Buffer.of(packetType, 100), noise(seed, 100)]))
        await connection.closed()
      }
    })
  }

  test('a connection that does not even speak TLS is dropped', async () => {
    const socket = connectTcp(port.port, port.host)
    socket.on('error', () => undefined)
    socket.write('GET / HTTP/1.1\r\n\r\n')
    await new Promise((resolve) => socket.once('close', resolve))
  })

  test('packets may come byte by byte', async () => {
    const device = await newDevice()
    await using connection = speakMqtt(await openTls(port))
    const connect = connectPacket(device.registrationId, device.userName, device.token())
    for (const packet of [connect, subscribePacket(), publishPacket(registerTopic('slowly'))]) {
      for (const byte of mqtt.generate(packet)) {
        connection.sendBytes(Buffer.of(byte))
        await new Promise(setImmediate)
      }
    }
    await connection.receive('connack')
    await connection.receive('suback')
    await connection.receive('puback')
    assert.equal((await receiveReply(connection)).rid, 'slowly')
  })
})

describe('MQTT keep-alive [device-wire §3.6]', { concurrency: 8 }, () => {
  const quiet = async (device: Device, keepalive: number): Promise<MqttConnection> => {
    const connection = await openMqtt(port)
    connection.send({ ...connectPacket(device.registrationId, device.userName, device.token()), keepalive })
    await connection.receive('connack')
    return connection
  }

  test('silence for one and a half times the keep-alive closes the connection', async () => {
    await using connection = await quiet(await newDevice(), 2)
    await connection.silence(2500)
    await connection.closed(4000)
  })

  test('PINGREQ is answered and keeps the connection', async () => {
    await using connection = await quiet(await newDevice(), 2)
    for (let pings = 0; pings < 5; pings += 1) {
      connection.send({ cmd: 'pingreq' })
      await connection.receive('pingresp')
      await wait(1000)
    }
  })

  test('keep-alive 0 means that silence is no reason to close', async () => {
    await using connection = await quiet(await newDevice(), 0)
    await connection.silence(5000)
    connection.send({ cmd: 'pingreq' })
    await connection.receive('pingresp')
  })

  test('DISCONNECT ends the connection, and so does going without one', async () => {
    const device = await newDevice()
    await using session = await openSession(service, device)
    session.send({ cmd: 'disconnect' })
    await session.closed()
    const dropped = await openMqtt(port)
    await beginSession(dropped, device)
    dropped.drop()
    await using next = await openSession(service, device)
    assert.equal((await registerToTheEnd(next))['status'], 'assigned')
  })
})

/** Bytes that look random and are the same each time. */
function noise(seed: number, length: number): Buffer {
  let state = seed
  return Buffer.from(Array.from({ length }, () => (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) >> 16))
}
