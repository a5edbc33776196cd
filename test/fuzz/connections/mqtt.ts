import { generate as writeMqtt } from 'mqtt-packet'
import type { Random } from '../engine/random.ts'
import { mqttPacket, publishedRequest } from '../targets/mqtt.ts'
import type { Conversation, Step } from './conversation.ts'

/** MQTT clients that connect as devices do, and then do as they like. */
export function mqttConversation(random: Random, idScope: string): Conversation {
  const broken = random.once(5)
  const end = random.pick([
    Buffer.from([0xf0, 0]),
    Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0x80, 2, 0, 1]),
    Buffer.from([0x10, 0]),
  ])
  return {
    to: 'mqtt',
    tls: true,
    steps: [...mqttSteps(random, idScope), ...(broken ? [{ bytes: end, times: 1 }] : [])],
    broken,
  }
}

/** A CONNECT that is admitted, a subscription, and requests whose identifiers are whatever bytes fit into a topic. */
export function mqttSteps(random: Random, idScope: string): readonly Step[] {
  const registrationId = random.once(4)
    ? random.text(40).replaceAll('/', '').toWellFormed().replaceAll('\0', '') || 'd'
    : 'dev'
  const steps: Buffer[] = [
    writeMqtt({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      clientId: registrationId,
      keepalive: random.int(1, 60),
      username: `${idScope}/registrations/${registrationId}/api-version=2019-03-31&ClientVersion=${encodeURIComponent(random.text().toWellFormed())}`,
      password: Buffer.from(random.pick(['x', 'SharedAccessSignature sr=a&sig=b&se=9999999999', random.text(3000)])),
    }),
    writeMqtt({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$dps/registrations/res/#', qos: 1 }] }),
  ]
  for (let packets = random.size(12); packets > 0; packets--)
    steps.push(random.once(2) ? publishedRequest(random) : mqttPacket(random))
  return steps.map((bytes) => ({ bytes, times: random.once(20) ? random.size(200) : 1 }))
}
