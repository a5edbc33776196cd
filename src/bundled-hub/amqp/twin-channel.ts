import { isJsonObject, jsonFault, parseJson, type JsonObject } from '../../base/json.ts'
import { int, long, string, type Encoded } from '../../wire/amqp/encoding.ts'
import { writeMessage, type AmqpMessage } from '../../wire/amqp/message.ts'
import type { AmqpOutcome, AmqpSender } from '../../wire/amqp/service.ts'
import type { Hub } from '../hub.ts'
import { asRefusal, HubRefusal, refusalBody } from '../hub-refusal.ts'
import type { Address } from '../registry.ts'
import { deviceTwinJson } from '../twin.ts'
import { existingTwin, report } from '../twin-changes.ts'
import { withoutMetadata } from '../twin-request.ts'

interface Answer {
  readonly status: number
  readonly version?: number
  readonly body: string
}

const desiredNotifications = '/notifications/twin/properties/desired'

/** A device's twin over AMQP: requests on one link, answers and changes of the desired properties on the other. [service-wire §13.5] */
export class TwinChannel {
  readonly #hub: Hub
  readonly #address: Address
  #answers: AmqpSender | undefined
  #isNotified = false

  constructor(hub: Hub, address: Address) {
    this.#hub = hub
    this.#address = address
  }

  /** Where answers go from now on; undefined once there is no such link. */
  answerOn(sender: AmqpSender | undefined): void {
    this.#answers = sender
    if (!sender) this.#isNotified = false
  }

  async take(request: AmqpMessage): Promise<AmqpOutcome> {
    const answer = await this.#answer(request)
    return { afterwards: () => this.#send(answer, request.correlationId) }
  }

  desiredChanged(patch: JsonObject, version: number): void {
    if (!this.#isNotified) return
    const annotations = [
      ['resource', string('/properties/desired')],
      ['version', long(version)],
    ] as const
    void this.#answers?.send(writeMessage({ annotations, body: JSON.stringify({ ...patch, $version: version }) }))
  }

  async #answer(request: AmqpMessage): Promise<Answer> {
    try {
      return await this.#perform(request)
    } catch (thrown) {
      const error = asRefusal(thrown)
      if (!(error instanceof HubRefusal)) throw error
      return { status: error.status, body: refusalBody(error, this.#hub.clock()) }
    }
  }

  async #perform({ annotations, body }: AmqpMessage): Promise<Answer> {
    const resource = annotations.get('resource')
    switch (annotations.get('operation')) {
      case 'GET':
        return { status: 200, body: JSON.stringify(deviceTwinJson(existingTwin(this.#hub, this.#address).twin)) }
      case 'PATCH': {
        if (resource !== '/properties/reported') break
        const expected = annotations.get('version')
        const version = await this.#report(body, typeof expected === 'number' ? expected : undefined)
        return { status: 200, version, body: '' }
      }
      case 'PUT':
      case 'DELETE':
        if (resource !== desiredNotifications) break
        this.#isNotified = annotations.get('operation') === 'PUT'
        return { status: 200, body: '' }
    }
    throw new HubRefusal('ArgumentInvalid', 'operation and resource are none that a twin has')
  }

  #report(body: Buffer, expected: number | undefined): Promise<number> {
    const text = body.toString('utf8')
    const patch = parseJson(text)
    if (patch === undefined) throw new HubRefusal('ArgumentInvalid', `the patch ${jsonFault(text)}`)
    if (!isJsonObject(patch)) throw new HubRefusal('ArgumentInvalid', 'the patch is not a JSON object')
    return report(this.#hub, this.#address, withoutMetadata(patch), expected)
  }

  #send({ status, version, body }: Answer, correlationId: Encoded | undefined): void {
    const annotations: [string, Encoded][] = [['status', int(status)]]
    if (version !== undefined) annotations.push(['version', long(version)])
    void this.#answers?.send(writeMessage({ annotations, correlationId, body }))
  }
}
