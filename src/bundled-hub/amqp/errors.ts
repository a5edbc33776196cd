import type { AmqpError } from '../../wire/amqp/performatives.ts'
import type { LinkRefused } from '../../wire/amqp/service.ts'
import { asRefusal, HubRefusal } from '../hub-refusal.ts'

/** How a refusal is spelled on AMQP: the condition is what SDKs look at. [service-wire §13.5] */
export function amqpError(thrown: unknown): AmqpError {
  const error = asRefusal(thrown)
  if (!(error instanceof HubRefusal)) throw error
  return { condition: conditionOf(error), description: error.message }
}

/** No link can have the address. */
export const noSuchLink: LinkRefused = {
  refused: { condition: 'amqp:not-found', description: 'there is nothing to attach to at this address' },
}

/** The connection has not proved that it may have the link. */
export function unauthorized(description: string): LinkRefused {
  return { refused: { condition: 'amqp:unauthorized-access', description } }
}

function conditionOf({ refusal, status }: HubRefusal): string {
  switch (refusal) {
    case 'DeviceMaximumQueueDepthExceeded':
      return 'amqp:resource-limit-exceeded'
    case 'MessageTooLarge':
      return 'amqp:link:message-size-exceeded'
    case 'DeviceNotFound':
    case 'ModuleNotFound':
      return 'amqp:not-found'
    case 'PreconditionFailed':
      return 'amqp:precondition-failed'
    case 'NotImplemented':
      return 'amqp:not-implemented'
    default:
      if (status === 401 || status === 403) return 'amqp:unauthorized-access'
      return status < 500 ? 'amqp:not-allowed' : 'amqp:internal-error'
  }
}
