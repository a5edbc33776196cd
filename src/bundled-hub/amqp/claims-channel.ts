import { int, string, type Encoded } from '../../wire/amqp/encoding.ts'
import { writeMessage, type AmqpMessage } from '../../wire/amqp/message.ts'
import type { AmqpOutcome, AmqpSender } from '../../wire/amqp/service.ts'

/** The node `$cbs`: tokens are put, and each is answered with what became of it. [service-wire §13.5] */
export class ClaimsChannel {
  readonly #put: (token: string) => boolean
  /** By the address that replies are asked for at. */
  readonly #replies = new Map<string, AmqpSender>()

  /** @param put true if the token proves something */
  constructor(put: (token: string) => boolean) {
    this.#put = put
  }

  replyOn(address: string, sender: AmqpSender): { readonly detached: () => void } {
    this.#replies.set(address, sender)
    return {
      detached: () => {
        if (this.#replies.get(address) === sender) this.#replies.delete(address)
      },
    }
  }

  async take(request: AmqpMessage): Promise<AmqpOutcome> {
    const [status, description] = this.#answer(request)
    return { afterwards: () => this.#reply(request, status, description) }
  }

  #answer({ applicationProperties, body }: AmqpMessage): [status: number, description: string] {
    if (applicationProperties.get('operation') !== 'put-token') return [400, 'the operation is not put-token']
    return this.#put(body.toString('utf8')) ? [200, 'OK'] : [401, 'the token is not valid at this hub']
  }

  #reply({ messageId, replyTo = '' }: AmqpMessage, status: number, description: string): void {
    const sender = this.#replies.get(replyTo) ?? [...this.#replies.values()].at(-1)
    const applicationProperties: [string, Encoded][] = [
      ['status-code', int(status)],
      ['status-description', string(description)],
    ]
    const value = string(description)
    void sender?.send(writeMessage({ correlationId: messageId, applicationProperties, body: { value } }))
  }
}
