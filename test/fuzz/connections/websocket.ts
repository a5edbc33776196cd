import { writeFrames } from './websocket-frames.ts'
import { names } from '../engine/random.ts'
import { amqpSteps } from './amqp.ts'
import type { Converse, Step } from './conversation.ts'
import { mqttSteps } from './mqtt.ts'
import type { Load } from '../engine/target.ts'

/** WebSockets in frames of our own: cut anywhere, empty, of the wrong kind, under names that are not offered. */
export async function webSocketConversations(load: Load): Promise<Converse> {
  const amqp = await amqpSteps(load)
  return (random, idScope) => {
    const known = random.pick(['mqtt', 'AMQPWSB10'])
    const offered = random.once(3)
      ? random
          .many(4, () => random.pick([...names, known, 'http']))
          .filter(isToken)
          .join(', ') || 'x'
      : known
    const upgrade = [
      `GET ${random.pick(['/', '/$iothub/websocket', '/mqtt?iothub-no-client-cert=true', '/__proto__'])} HTTP/1.1`,
      'Host: h',
      'Connection: Upgrade',
      'Upgrade: websocket',
      `Sec-WebSocket-Version: ${random.once(20) ? random.int(0, 99) : 13}`,
      `Sec-WebSocket-Key: ${random.once(20) ? 'x' : random.bytes(16).toString('base64')}`,
      `Sec-WebSocket-Protocol: ${offered}`,
    ]
    const inner: readonly Step[] = known === 'mqtt' ? mqttSteps(random, idScope) : amqp(random, idScope)
    const { frames, broken } = writeFrames(
      random,
      Buffer.concat(inner.flatMap(({ bytes, times }) => Array<Buffer>(Math.min(times, 64)).fill(bytes))),
    )
    const steps = [{ bytes: Buffer.from(`${upgrade.join('\r\n')}\r\n\r\n`), times: 1 }, ...frames]
    return { to: 'https', tls: true, steps, broken }
  }
}

/** The names that can stand in the header at all. */
function isToken(name: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)
}
