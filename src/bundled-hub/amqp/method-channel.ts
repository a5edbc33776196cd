import { string, uuid } from '../../wire/amqp/encoding.ts'
import { writeMessage, type AmqpMessage } from '../../wire/amqp/message.ts'
import type { AmqpOutcome, AmqpSender } from '../../wire/amqp/service.ts'
import type { MethodAnswer } from '../connections.ts'
import { MethodCalls } from '../method-calls.ts'
import { idOf } from './message-bag.ts'

/** A device's direct methods over AMQP: calls on one link, answers on the other, told by their correlation IDs. [service-wire §13.5] */
export class MethodChannel {
  readonly #open = new MethodCalls()
  #calls: AmqpSender | undefined

  /** Where calls go from now on; undefined once there is no such link. */
  callOn(sender: AmqpSender | undefined): void {
    this.#calls = sender
  }

  isReady(): boolean {
    return this.#calls !== undefined
  }

  invoke(method: string, payload: string, timeout: number): Promise<MethodAnswer | undefined> {
    return this.#open.begin(timeout, (call) => {
      const applicationProperties = [['IoThub-methodname', string(method)]] as const
      void this.#calls?.send(writeMessage({ correlationId: correlationOf(call), applicationProperties, body: payload }))
    })
  }

  async take({ correlationId, applicationProperties, body }: AmqpMessage): Promise<AmqpOutcome> {
    const call = callOf(idOf(correlationId))
    const status = Number(applicationProperties.get('IoThub-status'))
    if (call === undefined || !Number.isInteger(status)) {
      const description = 'an answer needs the correlation ID of its call and a whole IoThub-status'
      return { rejected: { condition: 'amqp:not-allowed', description } }
    }
    this.#open.answer(call, status, body)
    return {}
  }

  end(): void {
    this.#open.end()
  }
}

/** The number of the call in the last bytes of a UUID, which SDKs send back as such or as text. */
function correlationOf(call: number) {
  const bytes = Buffer.alloc(16)
  bytes.writeUIntBE(call, 10, 6)
  return uuid(bytes)
}

const correlation = /^0{8}-0{4}-0{4}-0{4}-([0-9a-f]{12})$/i

function callOf(id: string | undefined): number | undefined {
  const digits = correlation.exec(id ?? '')?.[1]
  return digits === undefined ? undefined : Number.parseInt(digits, 16)
}
