import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import mqtt from 'mqtt-packet'
import { sasToken } from '../fixtures/sas.ts'
import { connectionMembers } from '../fixtures/service.ts'
import { described, frame, header, long, nothing, openRaw, text, uint, untilClosed, zero } from './amqp-client.ts'
import { ask, beginSession, enrollDevice, mqttPort, openSession, receiveReply, registerTopic } from './device.ts'
import { connectPacket, openMqtt, openTls, publishPacket, speakMqtt } from './mqtt-client.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.61')
const { deviceHost, ca, ports } = service
const device = await enrollDevice(service, 'echo')

/** A PUBLISH at QoS 0 whose topic is these bytes. */
function publishTo(topic: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(topic.length)
  return packet(0x30, Buffer.concat([length, topic]))
}

function packet(first: number, body: Buffer): Buffer {
  const size: number[] = []
  for (let rest = body.length; size.length === 0 || rest > 0; rest >>= 7)
    size.push((rest & 127) | (rest > 127 ? 128 : 0))
  return Buffer.concat([Buffer.from([first, ...size]), body])
}

const illFormed: readonly [string, Buffer][] = [
  ['a byte that never occurs', Buffer.from([0xff])],
  ['a sequence that is cut', Buffer.from([0xe2, 0x82])],
  ['half of a surrogate pair', Buffer.from([0xed, 0xa0, 0x80])],
  ['a character in more bytes than it needs', Buffer.from([0xc0, 0xaf])],
  ['a null character', Buffer.from([0])],
]

describe('what a client sends to be repeated', { concurrency: 4 }, () => {
  test('a request ID of 30,000 bytes that are no text closes its connection only', async () => {
    await using bystander = await openSession(service, device)
    const other = await enrollDevice(service, 'no-text')
    await using session = await openSession(service, other)
    session.sendBytes(publishTo(Buffer.concat([Buffer.from(registerTopic('')), Buffer.alloc(30_000, 0xff)])))
    await session.closed()
    assert.equal((await ask(bystander, registerTopic('still'), '{}')).rid, 'still')
  })

  for (const [what, bytes] of illFormed) {
    test(`MQTT: ${what} in any text closes the connection [MQTT-1.5.3-1, MQTT-1.5.3-2]`, async () => {
      const mark = 'ÄÖÜÄÖÜ'
      const bent = (whole: Buffer): Buffer => {
        const at = whole.indexOf(mark)
        const length = Buffer.byteLength(mark)
        return Buffer.concat([
          whole.subarray(0, at),
          bytes,
          Buffer.alloc(length - bytes.length, 0x61),
          whole.subarray(at + length),
        ])
      }
      for (const connect of [
        connectPacket(mark, device.userName, device.token()),
        connectPacket(device.registrationId, `${device.userName}&x=${mark}`, device.token()),
        {
          ...connectPacket(device.registrationId, device.userName, device.token()),
          will: { topic: mark, payload: Buffer.alloc(1), qos: 0 as const, retain: false },
        },
      ]) {
        await using connection = await openMqtt(mqttPort(service))
        connection.sendBytes(bent(mqtt.generate(connect)))
        await connection.closed()
      }
      const bystander = await enrollDevice(service, `text-${illFormed.findIndex(([other]) => other === what)}`)
      for (const spoken of [
        publishPacket(registerTopic(mark), '{}'),
        { cmd: 'subscribe' as const, messageId: 1, subscriptions: [{ topic: mark, qos: 0 as const }] },
        { cmd: 'unsubscribe' as const, messageId: 1, unsubscriptions: [mark] },
      ]) {
        await using session = await openSession(service, bystander)
        session.sendBytes(bent(mqtt.generate(spoken)))
        await session.closed()
      }
    })
  }

  test('MQTT: a request ID comes back byte for byte, or its connection closes', async () => {
    const own = await enrollDevice(service, 'byte-for-byte')
    for (const rid of ['a', 'ünï-€-😀', '\ufeffx', 'x'.repeat(16_384), '€'.repeat(16_384)]) {
      const stream = await openTls(mqttPort(service))
      await using session = speakMqtt(stream)
      await beginSession(session, own)
      session.send(publishPacket(registerTopic(rid), '{}'))
      await session.receive('puback')
      assert.equal((await receiveReply(session)).rid, rid)
    }
    for (const rid of ['x'.repeat(16_385), '😀'.repeat(16_000), 'x'.repeat(65_000)]) {
      await using session = await openSession(service, own)
      session.send(publishPacket(registerTopic(rid), '{}'))
      await session.closed()
    }
  })

  test('HTTPS: a host and a path of any bytes are answered', async () => {
    for (const bytes of [Buffer.from([0xff, 0xfe]), Buffer.from('€'), Buffer.from('\t\t'), Buffer.from('ü')]) {
      const requests = [
        Buffer.concat([Buffer.from(`PUT ${device.path}/register?api-version=2019-03-31 HTTP/1.1\r\nHost: `), bytes]),
        Buffer.concat([
          Buffer.from(`PUT ${device.path}/register?api-version=2019-03-31&`),
          bytes,
          Buffer.from(` HTTP/1.1\r\nHost: x`),
        ]),
        Buffer.concat([
          Buffer.from(`PUT ${device.path}`),
          bytes,
          Buffer.from(`/register?api-version=2019-03-31 HTTP/1.1\r\nHost: x`),
        ]),
        Buffer.concat([Buffer.from(`GET /`), bytes, Buffer.from(` HTTP/1.1\r\nHost: x`)]),
        Buffer.concat([Buffer.from(`GET /devices/`), bytes, Buffer.from(` HTTP/1.1\r\nHost: x`)]),
        Buffer.concat([Buffer.from(`GET /enrollments/`), bytes, Buffer.from(` HTTP/1.1\r\nHost: `), bytes]),
      ]
      for (const request of requests) {
        const socket = await openTls({ host: deviceHost, port: ports.https, ca })
        const rest = `\r\nAuthorization: ${device.token()}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`
        socket.write(Buffer.concat([request, Buffer.from(rest)]))
        const [answer] = (await once(socket, 'data')) as [Buffer]
        socket.destroy()
        assert.match(answer.toString('latin1'), /^HTTP\/1\.1 [24]\d\d /)
      }
    }
  })

  test('AMQP: a text that is none closes its connection with a decode error', async () => {
    const login = frame(0x41, [text('PLAIN', 0xa3), long(Buffer.from(`\0${device.resource}\0${device.token()}`))], {
      type: 1,
    })
    const opened = Buffer.concat([header.sasl, login, header.amqp, frame(0x10, [text('c')])])
    const begun = Buffer.concat([opened, frame(0x11, [nothing, zero, uint(100), uint(100)])])
    const bad = Buffer.from([0xa1, 2, 0xff, 0xfe])
    const source = described(0x28, [text(device.resource)])
    const target = described(0x29, [bad])
    for (const attach of [
      frame(0x12, [bad, zero, Buffer.from([0x41]), nothing, nothing, source]),
      frame(0x12, [text('n'), zero, Buffer.from([0x42]), nothing, nothing, source, target]),
    ]) {
      const socket = await openRaw(service)
      const answer = untilClosed(socket)
      socket.write(Buffer.concat([begun, attach]))
      assert.ok((await answer).includes('amqp:decode-error'))
    }
  })

  test('the bundled hub: a request ID comes back byte for byte, or its connection closes', async () => {
    const { connection, drop } = await hubDevice('twin-of-echo')
    connection.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$iothub/twin/res/#', qos: 0 }] })
    await connection.receive('suback')
    for (const rid of ['ünï-€-😀', '€'.repeat(16_384)]) {
      connection.send(publishPacket(`$iothub/twin/GET/?$rid=${rid}`, ''))
      assert.equal((await connection.receive('publish')).topic, `$iothub/twin/res/200/?$rid=${rid}`)
      await connection.receive('puback')
    }
    connection.send(publishPacket(`$iothub/twin/GET/?$rid=${'x'.repeat(16_385)}`, ''))
    await connection.closed()
    drop()
  })

  test('the bundled hub: properties that fill more than a topic are refused, and hold nothing up', async () => {
    const { connection, drop } = await hubDevice('bag-of-echo')
    const path = '/devices/bag-of-echo/messages/devicebound'
    const send = (value: string): Promise<number> => sendToDevice(path, value)
    assert.equal(await send('ÿ'.repeat(12_000)), 413)
    assert.equal(await send('ÿ'.repeat(10_000)), 204)
    assert.equal(await send('x'), 204)
    connection.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: 'devices/bag-of-echo/messages/devicebound/#', qos: 1 }],
    })
    await connection.receive('suback')
    assert.match((await connection.receive('publish')).topic, /(?:%C3%BF){10000}/)
    assert.match((await connection.receive('publish')).topic, /much=x/)
    drop()
  })
})

async function hubDevice(deviceId: string) {
  const made = await service.askHub(0, 'PUT', `/devices/${deviceId}`, { deviceId })
  const { authentication } = JSON.parse(made.text) as { authentication: { symmetricKey: { primaryKey: string } } }
  const { HostName = '' } = connectionMembers(service.hubConnectionStrings[0] ?? '')
  const password = sasToken(`${HostName}/devices/${deviceId}`, authentication.symmetricKey.primaryKey)
  const connection = await openMqtt({ host: HostName, port: ports.mqtt, ca })
  connection.send(connectPacket(deviceId, `${HostName}/${deviceId}/?api-version=2021-04-12`, password))
  assert.equal((await connection.receive('connack')).returnCode, 0)
  return { connection, drop: connection.drop }
}

async function sendToDevice(path: string, value: string): Promise<number> {
  const {
    HostName = '',
    SharedAccessKeyName = '',
    SharedAccessKey = '',
  } = connectionMembers(service.hubConnectionStrings[0] ?? '')
  const authorization = sasToken(HostName, SharedAccessKey, { keyName: SharedAccessKeyName })
  const socket = await openTls({ host: HostName, port: ports.https, ca })
  const head = `POST ${path}?api-version=2021-04-12 HTTP/1.1\r\nHost: ${HostName}\r\nAuthorization: ${authorization}\r\n`
  socket.write(`${head}iothub-app-much: ${value}\r\nContent-Length: 0\r\n\r\n`, 'latin1')
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return Number(answer.toString('latin1', 9, 12))
}
