import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:https'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { promisify } from 'node:util'
import mqtt from 'mqtt-packet'
import { WebSocket } from 'ws'
import { beginSession, deviceWithKey, mqttPort, registerTopic } from '../wire/device.ts'
import { connectPacket, openMqtt, openTls, publishPacket } from '../wire/mqtt-client.ts'
import { enroll, found, type Case, type World } from './world.ts'

/** What comes before a request can be read, over real wires. */
export const unread: readonly Case[] = [
  ...(['https', 'mqtt', 'amqp'] as const).flatMap((port) => [
    unreadCase(
      'TlsMissing',
      `HTTP at the ${port} port`,
      /expected a TLS handshake, found plain HTTP: "GET \/plain-.* HTTP/,
      (world, id) => plain(world, port, `GET /plain-${id} HTTP/1.1\r\nHost: x\r\n\r\n`),
    ),
    unreadCase(
      'TlsHandshakeFailed',
      `a cipher that is not offered, at the ${port} port`,
      /no shared cipher.*alert 40, handshake_failure\); it offered TLS 1.2 with AES128-CCM8?.* which dialled why-/,
      (world, id) =>
        handshake(world, port, { maxVersion: 'TLSv1.2', ciphers: 'AES128-CCM8:@SECLEVEL=0', servername: id }),
    ),
    unreadCase(
      'TlsServerNotTrusted',
      `by its alert, at the ${port} port`,
      /alert 48, unknown_ca: it does not trust/,
      (world) => pythonHandshake(world, port),
    ),
    unreadCase(
      'TlsServerNotTrusted',
      `without a word, at the ${port} port`,
      /the client left (in the middle of the TLS handshake, without an alert|right after the TLS handshake).* which dialled why-/,
      (world, servername) => handshake(world, port, { ca: [], servername }),
    ),
  ]),
  unreadCase('TlsMissing', 'MQTT', /found plain MQTT/, (world) =>
    plain(world, 'mqtt', mqtt.generate(connectPacket('plain', 'x'))),
  ),
  unreadCase('TlsMissing', 'AMQP', /found plain AMQP/, (world) => plain(world, 'amqp', 'AMQP\x00\x01\x00\x00')),
  unreadCase('TlsHandshakeFailed', 'TLS 1.1', /alert 70, protocol_version\); it offered TLS 1.1/, (world, servername) =>
    handshake(world, 'mqtt', {
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
      servername,
    }),
  ),
  unreadCase(
    'TlsHandshakeFailed',
    'a curve that is not offered',
    /it offered TLS 1.3 with .*on brainpoolP256r1|it offered TLS 1.3 .* on X448/,
    (world, servername) => handshake(world, 'amqp', { minVersion: 'TLSv1.3', ecdhCurve: 'X448', servername }),
  ),
  unreadCase('HttpMalformed', '', /expected an HTTP\/1.1 request, found "Parse Error/, async (world) => {
    const socket = await openTls({ ...mqttPort(world.service), port: world.service.ports.https })
    socket.end('HELLO\r\n\r\n')
    await once(socket.resume(), 'close')
  }),
  unreadCase(
    'WebSocketInvalid',
    'subprotocol',
    /expected one of the subprotocols mqtt, amqpwsb10, found "chat"/,
    async (world) => {
      await once(webSocket(world, 'chat'), 'error')
    },
  ),
  unreadCase('WebSocketInvalid', 'no subprotocol', /found none/, async (world) => {
    const headers = { connection: 'Upgrade', upgrade: 'websocket' }
    await once(upgrade(world, headers), 'response')
  }),
  unreadCase(
    'WebSocketInvalid',
    'without a key',
    /cannot be opened: "Missing or invalid Sec-WebSocket-Key/,
    async (world) => {
      const headers = {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-protocol': 'mqtt',
        'sec-websocket-version': 13,
      }
      await once(upgrade(world, headers), 'response')
    },
  ),
  unreadCase('WebSocketInvalid', 'text frames', /expected binary frames, found a text frame/, async (world) => {
    const socket = webSocket(world, 'mqtt')
    await once(socket, 'open')
    socket.send('CONNECT')
    await once(socket, 'close')
  }),
  ...(
    [
      ['MQTT 3.1', 'MQIsdp', 3],
      ['MQTT 5', 'MQTT', 5],
    ] as const
  ).map(([version, protocolId, protocolVersion]) =>
    named(
      'MqttVersionUnsupported',
      version,
      new RegExp(`expected MQTT 3.1.1 \\(level 4\\), found ${version} \\(level ${protocolVersion}\\); from 127`),
      async (world, id) => {
        await using connection = await openMqtt(mqttPort(world.service))
        const properties = protocolVersion === 5 ? { properties: { sessionExpiryInterval: 60 } } : {}
        connection.sendBytes(
          mqtt.generate({ ...connectPacket(id, 'x'), protocolId, protocolVersion, ...properties }, { protocolVersion }),
        )
        await connection.closed()
      },
    ),
  ),
  unreadCase('MqttMalformed', 'before CONNECT', /the first packet is not CONNECT/, async (world) => {
    await using connection = await openMqtt(mqttPort(world.service))
    connection.send({ cmd: 'pingreq' })
    await connection.closed()
  }),
  unreadCase('MqttMalformed', 'garbage', /packet type 0 is not for a server/, async (world) => {
    await using connection = await openMqtt(mqttPort(world.service))
    connection.sendBytes(Buffer.from([0x00, 0x00]))
    await connection.closed()
  }),
  named('MqttMalformed', 'in a session', /QoS 2 is not offered/, async (world, id) => {
    await using connection = await session(world, id)
    connection.send(publishPacket('$dps/registrations/PUT/iotdps-register/?$rid=1', '', { qos: 2 }))
    await connection.closed()
  }),
  ...[
    [
      'a topic that a shell ate',
      '/registrations/PUT/iotdps-register/?=1',
      /found "\/registrations\/.*": a shell took the names behind \$ away/,
    ],
    ["a hub's topic", 'devices/x/messages/events/', /expected the topic of a request, found "devices\/x/],
  ].map(([when, topic, says]) =>
    named('MqttTopicUnknown', String(when), says as RegExp, async (world, id) => {
      await using connection = await session(world, id)
      connection.send(publishPacket(String(topic)))
      await connection.closed()
    }),
  ),
  named(
    'MqttTopicUnknown',
    'a filter that is refused',
    /expected the filter \$dps\/registrations\/res\/#, found "\/registrations\/res\/#": a shell/,
    async (world, id) => {
      await using connection = await session(world, id)
      const subscriptions = [{ topic: '/registrations/res/#', qos: 1 as const }]
      connection.send({ cmd: 'subscribe', messageId: 4, subscriptions })
      await connection.receive('suback')
    },
  ),
  named(
    'MqttNotSubscribed',
    '',
    /the answer to registering \(status 200, \$rid="1"\) had nowhere to go/,
    async (world, id) => {
      const device = deviceWithKey(world.service, id, await enroll(world, id))
      await using connection = await openMqtt(mqttPort(world.service))
      connection.send(connectPacket(id, device.userName, device.token()))
      await connection.receive('connack')
      connection.send(publishPacket(registerTopic('1')))
      await connection.receive('puback')
      await found(world, id, /had nowhere to go/)
    },
  ),
  ...[
    ['AmqpVersionUnsupported', 'RabbitMQ', 'AMQP\x00\x00\x09\x01', /found that of AMQP 0-9-1/],
    ['AmqpVersionUnsupported', 'its TLS layer', 'AMQP\x02\x01\x00\x00', /found that of protocol 2, version 1.0.0/],
    ['AmqpVersionUnsupported', 'MQTT at its port', '\x10\x0c\x00\x04MQTT', /found "\\u0010\\f\\u0000\\u0004MQTT"/],
    ['AmqpMalformed', 'cut in its header', 'AMQP', /the connection ended while a protocol header was due/],
    ['AmqpMalformed', 'before OPEN', 'AMQP\x00\x01\x00\x00', /the connection ended while OPEN was due/],
    [
      'AmqpMalformed',
      'in its SASL exchange',
      'AMQP\x03\x01\x00\x00',
      /ended while the SASL exchange \(offered: .*PLAIN.*\) was due/,
    ],
    ['AmqpMalformed', 'by its frame', 'AMQP\x00\x01\x00\x00\xff\xff\xff\xff', /a frame of 4294967295 bytes/],
    [
      'AmqpMalformed',
      'by its mechanism',
      `AMQP\x03\x01\x00\x00${saslInit('GSSAPI')}`,
      /expected a SASL mechanism of .*, found "GSSAPI"/,
    ],
  ].map(([reason, when, bytes, says]) =>
    unreadCase(String(reason), String(when), says as RegExp, async (world) => {
      const socket = await openTls({ ...mqttPort(world.service), port: world.service.ports.amqp })
      socket.end(Buffer.from(String(bytes), 'latin1'))
      await once(socket.resume(), 'close')
    }),
  ),
]

type Attempt = (world: World, id: string) => Promise<void>

/** Whoever comes says no registration ID: its record is known by what it says. */
function unreadCase(reason: string, when: string, says: RegExp, attempt: Attempt): Case {
  return { reason, when, says, attempt: followed(attempt, says, () => '') }
}

/** The client says its ID, and its record is found by that at every instance. */
function named(reason: string, when: string, says: RegExp, attempt: Attempt): Case {
  return { reason, when, says, attempt: followed(attempt, says, (id) => id) }
}

function followed(attempt: Attempt, says: RegExp, nameOf: (id: string) => string): Case['attempt'] {
  return async (world, id) => {
    await attempt(world, id)
    return found(world, nameOf(id), says)
  }
}

async function plain({ service }: World, port: 'https' | 'mqtt' | 'amqp', bytes: string | Buffer): Promise<void> {
  const socket: Socket = connect(service.ports[port], service.deviceHost)
  socket.on('error', () => socket.destroy())
  socket.write(bytes)
  await once(socket.resume(), 'close')
}

async function handshake(
  { service }: World,
  port: 'https' | 'mqtt' | 'amqp',
  options: ConnectionOptions,
): Promise<void> {
  const socket = connectTls({ host: service.deviceHost, port: service.ports[port], ca: service.ca, ...options })
  await once(socket, 'error')
}

/** OpenSSL's client says by an alert that it does not trust a server; Node's only leaves. */
async function pythonHandshake({ service }: World, port: 'https' | 'mqtt' | 'amqp'): Promise<void> {
  // A socket that is closed at once, with something unread, is reset, and the alert may be lost on its way.
  const script = `import socket, ssl, time
client = ssl.create_default_context().wrap_socket(socket.create_connection(("${service.deviceHost}", ${service.ports[port]})), server_hostname="untrusting.test", do_handshake_on_connect=False)
try:
    client.do_handshake()
except ssl.SSLCertVerificationError:
    time.sleep(0.5)`
  await promisify(execFile)('python3', ['-c', script])
}

async function session(world: World, id: string) {
  const device = deviceWithKey(world.service, id, await enroll(world, id))
  const connection = await openMqtt(mqttPort(world.service))
  await beginSession(connection, device)
  return connection
}

function webSocket({ service }: World, subprotocol: string): WebSocket {
  return new WebSocket(`wss://${service.deviceHost}:${service.ports.https}/mqtt`, [subprotocol], { ca: service.ca })
}

function upgrade({ service }: World, headers: Record<string, string | number>) {
  const asked = request({ host: service.deviceHost, port: service.ports.https, ca: service.ca, headers, path: '/mqtt' })
  asked.end()
  return asked
}

/** A SASL frame with an init for this mechanism, as text of single bytes. */
function saslInit(mechanism: string): string {
  const name = `\xa3${String.fromCharCode(mechanism.length)}${mechanism}`
  const body = `\x00\x53\x41\xc0${String.fromCharCode(name.length + 1)}\x01${name}`
  return `\x00\x00\x00${String.fromCharCode(body.length + 8)}\x02\x01\x00\x00${body}`
}
