import type { AmqpOutcome, AmqpTaker } from '../../wire/amqp/service.ts'
import { cloudToDeviceLimits, enqueue } from '../cloud-to-device.ts'
import type { Hub } from '../hub.ts'
import { HubRefusal } from '../hub-refusal.ts'
import { linkAddress } from './addresses.ts'
import { amqpError } from './errors.ts'
import { bagOf } from './message-bag.ts'

/** Queues what a service sends to devices, each message to the device that its `to` names; settled when it is durable. */
export function sendTaker(hub: Hub): AmqpTaker {
  return {
    take: async (message): Promise<AmqpOutcome> => {
      try {
        const address = linkAddress(message.to ?? '')
        if (address?.kind !== 'device' || address.channel !== 'deviceBound' || address.device.moduleId !== '')
          throw new HubRefusal('ArgumentInvalid', 'the message is not to /devices/{id}/messages/devicebound')
        const expires = message.expires ?? hub.clock() + cloudToDeviceLimits.lifetime
        const properties = bagOf({ ...message, expires })
        await enqueue(hub, address.device.deviceId, { properties, body: message.body, expires })
        return {}
      } catch (error) {
        return { rejected: amqpError(error) }
      }
    },
  }
}
