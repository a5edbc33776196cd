import { writeMessage, type AmqpMessage, type OutgoingMessage } from './message.ts'
import { ProtocolViolation } from './decoding.ts'
import type { AmqpError } from './performatives.ts'
import type { AmqpClient, AmqpLink, AmqpOpening, AmqpSender } from './service.ts'

/** A client that sends requests on one link and receives the replies on another. */
export interface Answering {
  /**
   * An error closes the connection. The link alone could be detached; but Node takes what comes before a DETACH for success, and
   * waits for a message. [device-wire §4.4]
   */
  readonly attach: (link: AmqpLink) => AmqpError | undefined
  /** A request is settled when this settles: `accepted`, with a reply that follows after the reply delay, or `rejected`. */
  readonly request: (
    message: AmqpMessage,
    link: AmqpLink,
  ) => Promise<{ readonly reply?: OutgoingMessage } | { readonly rejected: AmqpError }>
}

/** Replies that wait for a link or its credit; a client that only asks and never takes is closed. */
const mostWaiting = 16

/**
 * The client's dealings where whatever it asks is answered on the first link that it receives on, with the correlation ID of
 * the request.
 *
 * @param replyDelay milliseconds between settling a request and sending its reply [device-wire §3.8]
 */
export function answeringClient(
  { attach, request }: Answering,
  replyDelay: number,
  { guard }: AmqpOpening,
): AmqpClient {
  const receiving = new Set<AmqpSender>()
  const timers = new Set<NodeJS.Timeout>()
  let waiting: Buffer[] = []

  function replyLater(reply: Buffer): void {
    const timer = setTimeout(() => {
      timers.delete(timer)
      waiting.push(reply)
      void guard(sendWaiting)
    }, replyDelay)
    timers.add(timer)
    if (timers.size + waiting.length > mostWaiting)
      throw new ProtocolViolation('amqp:resource-limit-exceeded', 'too many replies wait to be taken')
  }

  function sendWaiting(): void {
    const [first] = receiving
    if (!first) return
    for (const reply of waiting.splice(0, Math.max(first.free(), 0))) void first.send(reply)
  }

  return {
    takes: (link) => {
      const refused = attach(link)
      if (refused) return { refused, closes: true }
      return {
        take: async (message) => {
          const outcome = await request(message, link)
          if ('rejected' in outcome) return outcome
          const { reply } = outcome
          if (!reply) return {}
          const bytes = writeMessage({ ...reply, correlationId: message.correlationId })
          return { afterwards: () => replyLater(bytes) }
        },
      }
    },
    gives: (link, sender) => {
      const refused = attach(link)
      if (refused) return { refused, closes: true }
      receiving.add(sender)
      return { ready: sendWaiting, detached: () => receiving.delete(sender) }
    },
    closed: () => {
      for (const timer of timers) clearTimeout(timer)
      waiting = []
    },
  }
}
