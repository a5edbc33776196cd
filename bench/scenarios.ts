import { once } from 'node:events'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { generate, parser as newParser, type IPublishPacket, type Packet } from 'mqtt-packet'
import { registerOverAmqp } from './amqp.ts'
import { tokenOf, type CredentialKind, type DeviceKeys } from './devices.ts'
import type { ServerFacts } from './served.ts'
import { registerTpmOverAmqp, registerTpmOverHttps, type TpmKeys } from './tpm.ts'

/** One way to register, and the bare handshake that it is compared to. */
export interface Scenario {
  readonly name: string
  readonly credential: CredentialKind
  readonly handshake: (server: ServerFacts, device: DeviceKeys) => Promise<void>
  /** A connection of its own, one registration to its final answer, and the end of the connection. Throws unless assigned. */
  readonly register: (server: ServerFacts, device: DeviceKeys) => Promise<void>
}

const version = 'api-version=2019-03-31'
const patience = 20_000

/** Every scenario that is measured. */
export const scenarios: readonly Scenario[] = [
  ...(['SAS', 'certificate'] as const).flatMap((credential) => [
    { name: `HTTPS, ${credential}`, credential, handshake, register: registerOverHttps },
    { name: `MQTT, ${credential}`, credential, handshake, register: registerOverMqtt },
    { name: `AMQP, ${credential}`, credential, handshake, register: overAmqp },
  ]),
  { name: 'HTTPS, TPM', credential: 'TPM', handshake, register: tpmOverHttps },
  { name: 'AMQP, TPM', credential: 'TPM', handshake, register: tpmOverAmqp },
]

async function handshake(server: ServerFacts, device: DeviceKeys): Promise<void> {
  const socket = await open(server, server.mqttPort, device)
  socket.resume()
  await once(socket, 'close')
}

async function registerOverHttps(server: ServerFacts, device: DeviceKeys): Promise<void> {
  const { registrationId } = device
  const socket = await open(server, server.httpsPort, device)
  const body = JSON.stringify({ registrationId })
  const head = [
    `PUT /${server.idScope}/registrations/${registrationId}/register?${version} HTTP/1.1`,
    `Host: ${server.host}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${body.length}`,
    ...(device.leaf ? [] : [`Authorization: ${tokenOf(server.idScope, device)}`]),
    'Connection: close',
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  assertAssigned(text)
}

async function registerOverMqtt(server: ServerFacts, device: DeviceKeys): Promise<void> {
  const { registrationId } = device
  const socket = await open(server, server.mqttPort, device)
  const packets = read(socket)
  const ask = async (packet: Packet, answer: Packet['cmd']) => {
    socket.write(generate(packet))
    for (;;) {
      const { value } = await packets.next()
      if (!value) throw new Error(`the connection ended before ${answer}`)
      if (value.cmd === answer) return value
    }
  }
  await ask(
    {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      keepalive: 60,
      clientId: registrationId,
      username: `${server.idScope}/registrations/${registrationId}/${version}`,
      ...(device.leaf ? {} : { password: Buffer.from(tokenOf(server.idScope, device)) }),
    },
    'connack',
  )
  await ask(
    { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$dps/registrations/res/#', qos: 1 }] },
    'suback',
  )
  const register = '$dps/registrations/PUT/iotdps-register/?$rid=1'
  const payload = JSON.stringify({ registrationId })
  const answer = await ask(
    { cmd: 'publish', topic: register, payload, qos: 1, messageId: 2, dup: false, retain: false },
    'publish',
  )
  assertAssigned(String((answer as IPublishPacket).payload))
  socket.end(generate({ cmd: 'disconnect' }))
  await once(socket, 'close')
}

async function overAmqp(server: ServerFacts, device: DeviceKeys): Promise<void> {
  const socket = await open(server, server.amqpPort, device)
  const address = `${server.idScope}/registrations/${device.registrationId}`
  const login = () => Buffer.from(`\0${address}\0${tokenOf(server.idScope, device)}`)
  const sasl = device.leaf ? undefined : { mechanism: 'PLAIN', initial: login() }
  assertAssigned(await registerOverAmqp(socket, address, sasl))
}

async function tpmOverHttps(server: ServerFacts, device: DeviceKeys): Promise<void> {
  const socket = await open(server, server.httpsPort, device)
  assertAssigned(await registerTpmOverHttps(socket, server.host, tpmOf(server, device)))
}

async function tpmOverAmqp(server: ServerFacts, device: DeviceKeys): Promise<void> {
  const socket = await open(server, server.amqpPort, device)
  assertAssigned(await registerTpmOverAmqp(socket, tpmOf(server, device)))
}

function tpmOf({ idScope }: ServerFacts, { registrationId, chip }: DeviceKeys): TpmKeys {
  if (!chip) throw new TypeError(`${registrationId} has no TPM`)
  return { idScope, registrationId, chip }
}

async function open({ host, ca }: ServerFacts, port: number, { leaf }: DeviceKeys): Promise<TLSSocket> {
  const options: ConnectionOptions = { host, port, ca, servername: 'localhost', minVersion: 'TLSv1.3' }
  const socket = connect(leaf ? { ...options, cert: leaf.chain, key: leaf.key } : options)
  socket.setNoDelay(true)
  socket.setTimeout(patience, () => socket.destroy(new Error(`no answer within ${patience} ms`)))
  await once(socket, 'secureConnect')
  return socket
}

async function* read(socket: TLSSocket): AsyncGenerator<Packet> {
  const parser = newParser({ protocolVersion: 4 })
  const packets: Packet[] = []
  parser.on('packet', (packet) => packets.push(packet))
  for await (const chunk of socket) {
    parser.parse(chunk as Buffer)
    yield* packets.splice(0)
  }
}

function assertAssigned(text: string): void {
  if (!text.includes('"status":"assigned"')) throw new Error(`not assigned: ${text.slice(0, 500)}`)
}
