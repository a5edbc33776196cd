import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { setTimeout as wait } from 'node:timers/promises'
import { generate, parser, type IConnectPacket, type IPublishPacket, type Packet } from 'mqtt-packet'
import {
  assignedHub,
  deviceToken,
  type DeviceEndpoint,
  type SimulatedProof,
  type ToldOperation,
} from './simulated-device.ts'

/** Milliseconds. */
const patience = 60_000

/** Register over MQTT 3.1.1; the hub that the device was assigned to. [device-wire §3] */
export async function registerOverMqtt(
  endpoint: DeviceEndpoint,
  registrationId: string,
  proof: SimulatedProof,
): Promise<string> {
  const { host, port, ca } = endpoint
  const certificate = 'key' in proof ? undefined : proof.certificate
  const servername = /^[\d.]+$|:/.test(host) ? undefined : host
  const socket = connect({ host, port, ca, servername, cert: certificate?.chain, key: certificate?.key })
  socket.setNoDelay(true).setTimeout(patience, () => socket.destroy(new Error(`no answer within ${patience / 1000} s`)))
  try {
    await once(socket, 'secureConnect')
    const packets = packetsOf(socket)
    socket.write(generate(connectPacket(endpoint, registrationId, proof)))
    const { returnCode } = await next(packets, 'connack')
    if (returnCode !== 0) throw new Error(`the connection was refused with code ${returnCode}`)
    const subscriptions = [{ topic: '$dps/registrations/res/#', qos: 0 as const }]
    socket.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions }))
    await next(packets, 'suback')

    const ask = async (topic: string, payload: string) => {
      socket.write(generate({ cmd: 'publish', topic: `$dps/registrations/${topic}`, payload, ...atMostOnce }))
      return readAnswer(await next(packets, 'publish'))
    }
    let answer = await ask('PUT/iotdps-register/?$rid=1', JSON.stringify({ registrationId }))
    while (answer.operation.status === 'assigning') {
      await wait(answer.retryAfter * 1000)
      answer = await ask(`GET/iotdps-get-operationstatus/?$rid=2&operationId=${answer.operation.operationId}`, ' ')
    }
    return assignedHub(answer.operation)
  } finally {
    socket.destroy()
  }
}

const atMostOnce = { qos: 0, dup: false, retain: false } as const

function connectPacket(endpoint: DeviceEndpoint, registrationId: string, proof: SimulatedProof): IConnectPacket {
  const tail = 'api-version=2021-06-01&ClientVersion=hubward-simulate'
  return {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    keepalive: 60,
    clientId: registrationId,
    username: `${endpoint.idScope}/registrations/${registrationId}/${tail}`,
    ...('key' in proof && { password: Buffer.from(deviceToken(endpoint, registrationId, proof.key)) }),
  }
}

/** The packets that arrive; throws when the connection ends. */
async function* packetsOf(socket: TLSSocket): AsyncGenerator<Packet> {
  const parsed: Packet[] = []
  const reader = parser({ protocolVersion: 4 })
  reader.on('packet', (packet) => parsed.push(packet))
  for await (const chunk of socket) {
    reader.parse(chunk as Buffer)
    yield* parsed.splice(0)
  }
  throw new Error('the service closed the connection')
}

/** The next packet of this kind. A PUBLISH with QoS 1 is taken as it is: the connection ends before it would be sent again. */
async function next<C extends Packet['cmd']>(
  packets: ReturnType<typeof packetsOf>,
  wanted: C,
): Promise<Extract<Packet, { cmd: C }>> {
  for (;;) {
    const { value, done } = await packets.next()
    if (done === true || value === undefined) throw new Error('the service closed the connection')
    if (value.cmd === wanted) return value as Extract<Packet, { cmd: C }>
  }
}

function readAnswer({ topic, payload }: IPublishPacket): { operation: ToldOperation; retryAfter: number } {
  const retryAfter = Number(/retry-after=(\d+)/.exec(topic)?.[1] ?? 3)
  return { operation: JSON.parse(payload.toString()) as ToldOperation, retryAfter }
}
