import { int, string, type Encoded } from '../../wire/amqp/encoding.ts'
import { writeMessage, type AmqpMessage } from '../../wire/amqp/message.ts'
import type { AmqpOutcome, AmqpSender } from '../../wire/amqp/service.ts'

/** What a request to a node comes to; the status is one of HTTP's. */
export interface NodeAnswer {
  readonly status: number
  readonly description: string
  /** The body; the description if there is none. */
  readonly value?: Encoded
}

/** A node such as `$cbs` or `$management`: requests on one link, answers on another that the request names. [service-wire §13.5] */
export class RequestChannel {
  readonly #answer: (request: AmqpMessage) => NodeAnswer
  /** By the address that answers are asked for at. */
  readonly #senders = new Map<string, AmqpSender>()

  constructor(answer: (request: AmqpMessage) => NodeAnswer) {
    this.#answer = answer
  }

  answerOn(address: string, sender: AmqpSender): { readonly detached: () => void } {
    this.#senders.set(address, sender)
    return {
      detached: () => {
        if (this.#senders.get(address) === sender) this.#senders.delete(address)
      },
    }
  }

  async take(request: AmqpMessage): Promise<AmqpOutcome> {
    const answer = this.#answer(request)
    return { afterwards: () => this.#send(request, answer) }
  }

  #send({ messageId, replyTo = '' }: AmqpMessage, { status, description, value }: NodeAnswer): void {
    const sender = this.#senders.get(replyTo) ?? [...this.#senders.values()].at(-1)
    const applicationProperties: [string, Encoded][] = [
      ['status-code', int(status)],
      ['status-description', string(description)],
    ]
    const body = { value: value ?? string(description) }
    void sender?.send(writeMessage({ correlationId: messageId, applicationProperties, body }))
  }
}
