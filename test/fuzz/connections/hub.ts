import { generate as writeMqtt } from 'mqtt-packet'
import type * as encodingModule from '../../../src/wire/amqp/encoding.ts'
import type * as performativesModule from '../../../src/wire/amqp/performatives.ts'
import { json } from '../engine/json.ts'
import { names, type Random } from '../engine/random.ts'
import type { Load } from '../engine/target.ts'
import { amqpWriter } from '../targets/amqp.ts'
import { mqttPacket, published } from '../targets/mqtt.ts'
import type { Conversation, Converse, Step } from './conversation.ts'

/** A bundled hub, and who may say something there. */
export interface FuzzedHub {
  readonly hostName: string
  readonly devices: readonly { readonly deviceId: string; readonly token: string }[]
  /** Of the hub's owner policy. */
  readonly token: string
}

/**
 * Whoever dials a bundled hub, on the ports that it shares with the device endpoint: devices that have proved who they are and say
 * what they like, services that have them called meanwhile, and strangers.
 */
export async function hubConversations(load: Load, hub: FuzzedHub): Promise<Converse> {
  const amqp = await amqpDevice(load, hub)
  return (random) => random.pick([mqttDevice, amqp, httpCaller])(random, hub)
}

type AtHub = (random: Random, hub: FuzzedHub) => Conversation

const members = [
  'properties',
  'desired',
  'tags',
  'methodName',
  'payload',
  'deviceId',
  'authentication',
  'query',
  '$version',
]

const mqttDevice: AtHub = (random, { hostName, devices }) => {
  const { deviceId, token } = random.pick(devices)
  const base = `devices/${deviceId}`
  const events = `${base}/messages/events/`
  const connect = writeMqtt({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: random.once(2),
    clientId: deviceId,
    keepalive: random.int(1, 60),
    username: `${hostName}/${deviceId}/?api-version=2021-04-12&model-id=${encodeURIComponent(random.text().toWellFormed())}`,
    password: Buffer.from(random.once(8) ? random.text() : token),
    ...(random.once(3) && {
      will: { topic: events, payload: random.bytes(9), qos: 1 as const, retain: random.once(2) },
    }),
  })
  const subscribe = writeMqtt({
    cmd: 'subscribe',
    messageId: 1,
    subscriptions: [
      '$iothub/twin/res/#',
      '$iothub/twin/PATCH/properties/desired/#',
      '$iothub/methods/POST/#',
      `${base}/messages/devicebound/#`,
    ].map((topic) => ({ topic, qos: random.int(0, 1) as 0 | 1 })),
  })
  const heads = [
    events,
    '$iothub/twin/GET/?$rid=',
    `$iothub/twin/PATCH/properties/reported/?$version=${random.edge()}&$rid=`,
    `$iothub/methods/res/${random.edge()}/?$rid=`,
  ]
  const packet = () =>
    random.once(4)
      ? mqttPacket(random)
      : published(random, random.pick(heads), random.once(2) ? json(random, members) : random.text(4000))
  const steps = [connect, subscribe, ...random.many(10, packet)].map((bytes) => ({ bytes, times: 1 }))
  return { to: 'mqtt', tls: true, steps, broken: false }
}

async function amqpDevice(load: Load, hub: FuzzedHub): Promise<AtHub> {
  const encoding = await load<typeof encodingModule>('wire/amqp/encoding.ts')
  const performatives = await load<typeof performativesModule>('wire/amqp/performatives.ts')
  const { binary, boolean, described, list, map, nothing, string, symbol, ubyte, uint } = encoding
  const { writeFrame, code } = performatives
  const { frame, message, value } = amqpWriter(encoding, performatives)
  const attach = (handle: number, receives: boolean, address: string) => {
    const termini = [code.source, code.target].map((descriptor) => described(descriptor, list([string(address)])))
    const head = [string(`l${handle}`), uint(handle), boolean(receives), ubyte(0), ubyte(0), ...termini]
    return writeFrame(0, 0, code.attach, [...head, nothing, nothing, uint(0)])
  }
  const credit = (handle: number) =>
    writeFrame(0, 0, code.flow, [uint(0), uint(2048), uint(0), uint(2048), uint(handle), uint(0), uint(100)])
  const transfer = (handle: number, id: number, content: Buffer) =>
    writeFrame(
      0,
      0,
      code.transfer,
      [uint(handle), uint(id), binary(Buffer.from([id])), uint(0), boolean(true)],
      content,
    )
  const asked = (random: Random): Buffer =>
    Buffer.concat([
      described(
        0x72,
        map([
          [symbol('operation'), random.pick([string('GET'), string('PATCH'), string('PUT'), value(random)])],
          [
            symbol('resource'),
            string(random.pick(['/properties/reported', '/notifications/twin/properties/desired', random.text()])),
          ],
          [symbol('version'), value(random)],
        ]),
      ),
      described(0x73, list([value(random), value(random), value(random), value(random), value(random), value(random)])),
      described(
        0x74,
        map([
          [string('IoThub-status'), value(random)],
          [string(random.pick(names)), value(random)],
        ]),
      ),
      described(0x75, binary(Buffer.from(json(random, members)))),
    ])
  const proof = (text: string): Buffer =>
    Buffer.concat([described(0x74, map([[string('operation'), string('put-token')]])), described(0x77, string(text))])
  return (random) => {
    const { deviceId, token } = random.pick(hub.devices)
    const base = `/devices/${deviceId}`
    const links = [
      attach(0, false, '$cbs'),
      transfer(0, 0, proof(random.once(8) ? random.text(200) : token)),
      attach(1, true, `${base}/messages/devicebound`),
      ...[`${base}/twin`, `${base}/methods/devicebound`].flatMap((address, at) => [
        attach(2 + 2 * at, false, address),
        attach(3 + 2 * at, true, address),
      ]),
      attach(6, false, `${base}/messages/events`),
      ...[1, 3, 5].map(credit),
    ]
    const more = random.many(20, () =>
      random.once(12)
        ? frame(random)
        : transfer(random.pick([2, 2, 4, 6]), random.int(1, 9), random.once(3) ? message(random) : asked(random)),
    )
    const steps = [
      Buffer.from('AMQP\0\x01\0\0', 'latin1'),
      writeFrame(0, 0, code.open, [string('me'), string(hub.hostName)]),
      writeFrame(0, 0, code.begin, [nothing, uint(0), uint(2048), uint(2048)]),
      ...links,
      ...more,
    ].map((bytes) => ({ bytes, times: 1 }))
    return { to: 'amqp', tls: true, steps, broken: false }
  }
}

const httpCaller: AtHub = (random, { hostName, devices, token: owner }) => {
  const requests = random.many(5, (): Step => {
    const { deviceId, token } = random.pick(devices)
    const [method, path] = random.pick([
      ['POST', `/devices/${deviceId}/messages/events`],
      ['POST', `/devices/${deviceId}/messages/devicebound`],
      ['POST', `/twins/${deviceId}/methods`],
      ['PATCH', `/twins/${deviceId}`],
      ['GET', `/twins/${encodeURIComponent(random.pick([deviceId, ...names]))}`],
      ['POST', '/devices/query'],
      ['PUT', `/devices/${encodeURIComponent(random.pick(names))}`],
      ['GET', '/devices?top=2'],
    ] as const)
    const body = Buffer.from(
      random.once(2)
        ? json(random, members)
        : JSON.stringify({ [random.pick(members)]: random.text(300), methodName: 'm' }),
    )
    const lines = [
      `${method} ${path}${path.includes('?') ? '&' : '?'}api-version=2021-04-12 HTTP/1.1`,
      `Host: ${hostName}`,
      `Authorization: ${random.pick([owner, owner, token, 'SharedAccessSignature sr=a&sig=b&se=9999999999'])}`,
      `iothub-app-${random.pick(['a', '__proto__', 'x'.repeat(random.size(2000) + 1)])}: ${printable(random.text(4000))}`,
      `iothub-expiry: ${printable(random.pick(['+275760-09-13T00:00:00Z', '-271821-04-20T00:00:00Z', random.text()]))}`,
      `iothub-messageid: ${printable(random.text(4000))}`,
      `Content-Length: ${body.length}`,
    ]
    return { bytes: Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]), times: 1 }
  })
  return { to: 'https', tls: true, steps: requests, broken: false }
}

function printable(text: string): string {
  return text.replaceAll(/[^\x21-\x7e]/g, '_')
}
