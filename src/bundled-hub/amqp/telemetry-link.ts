import { readMessage, batchFormat, type AmqpMessage } from '../../wire/amqp/message.ts'
import type { AmqpOutcome, AmqpTaker } from '../../wire/amqp/service.ts'
import type { Hub } from '../hub.ts'
import { HubRefusal } from '../hub-refusal.ts'
import type { Address } from '../registry.ts'
import { largestTelemetry } from '../telemetry.ts'
import { amqpError } from './errors.ts'
import { bagOf } from './message-bag.ts'

/** Beside the largest body: the properties. */
const envelope = 65_536

/** Keeps what a device sends; settled when it is durable. A batch is kept as the messages in it. */
export function telemetryTaker(hub: Hub, { deviceId, moduleId }: Address): AmqpTaker {
  const keep = (message: AmqpMessage): Promise<void> => {
    if (message.body.length > largestTelemetry) throw new HubRefusal('MessageTooLarge', 'the message is too large')
    const { name, telemetry, clock } = hub
    return telemetry.append(name, {
      deviceId,
      moduleId,
      enqueued: clock(),
      properties: bagOf(message),
      body: message.body,
    })
  }
  return {
    messageBytes: largestTelemetry + envelope,
    take: async (message): Promise<AmqpOutcome> => {
      try {
        const messages = message.format === batchFormat ? message.parts.map((part) => readMessage(part)) : [message]
        await Promise.all(messages.map(keep))
        return {}
      } catch (error) {
        return { rejected: amqpError(error) }
      }
    },
  }
}
