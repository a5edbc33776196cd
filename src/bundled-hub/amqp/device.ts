import type { JsonObject } from '../../base/json.ts'
import type { AmqpGiver, AmqpSender, AmqpTaker, LinkRefused } from '../../wire/amqp/service.ts'
import type { Connection, MethodAnswer } from '../connections.ts'
import type { Hub } from '../hub.ts'
import { clientOf, type Identity } from '../identity.ts'
import { activity, modelUpdate } from '../identity-table.ts'
import type { DeviceChannel } from './addresses.ts'
import { CloudToDeviceLink } from './cloud-to-device-link.ts'
import { noSuchLink } from './errors.ts'
import { MethodChannel } from './method-channel.ts'
import { telemetryTaker } from './telemetry-link.ts'
import { TwinChannel } from './twin-channel.ts'

/** A device's, or module's, dealings with its hub over the links of one AMQP connection. */
export class AmqpDevice implements Connection {
  readonly identity: Identity
  readonly #hub: Hub
  readonly #client: string
  readonly #close: () => void
  readonly #twin: TwinChannel
  readonly #methods = new MethodChannel()
  #deviceBound: CloudToDeviceLink | undefined

  /** Takes the client's place among the connections. */
  constructor(hub: Hub, identity: Identity, close: () => void) {
    this.#hub = hub
    this.identity = identity
    this.#client = clientOf(identity)
    this.#close = close
    this.#twin = new TwinChannel(hub, identity)
    hub.connections.add(this.#client, this)
    this.#noteActivity()
  }

  /** The device says which model it follows. */
  follows(model: string): void {
    this.#hub.database.write([modelUpdate(this.#hub.name, this.identity, model)]).catch(this.#hub.onFault)
  }

  takes(channel: DeviceChannel): AmqpTaker | LinkRefused {
    switch (channel) {
      case 'events':
        return telemetryTaker(this.#hub, this.identity)
      case 'twin':
        return { take: (request) => this.#twin.take(request) }
      case 'methods':
        return { take: (answer) => this.#methods.take(answer) }
      default:
        return noSuchLink
    }
  }

  gives(channel: DeviceChannel, sender: AmqpSender): AmqpGiver | LinkRefused {
    switch (channel) {
      case 'deviceBound':
        return this.#givesDeviceBound(sender)
      case 'twin':
        this.#twin.answerOn(sender)
        return { detached: () => this.#twin.answerOn(undefined) }
      case 'methods':
        this.#methods.callOn(sender)
        return {
          ready: () => this.#hub.connections.announce(this.#client),
          detached: () => this.#methods.callOn(undefined),
        }
      // A module's inputs, which only an edge hub has messages for. Node asks for them at its address for events.
      case 'inputs':
      case 'events':
        return this.identity.moduleId === '' ? noSuchLink : {}
    }
  }

  /** The connection is gone. */
  left(): void {
    this.#hub.connections.remove(this.#client, this)
    this.#methods.end()
    this.#noteActivity()
  }

  close(): void {
    this.#close()
  }

  desiredChanged(patch: JsonObject, version: number): void {
    this.#twin.desiredChanged(patch, version)
  }

  deliver(): void {
    this.#deviceBound?.deliver()
  }

  takesMethods(): boolean {
    return this.#methods.isReady()
  }

  invoke(method: string, payload: string, timeout: number): Promise<MethodAnswer | undefined> {
    return this.#methods.invoke(method, payload, timeout)
  }

  #givesDeviceBound(sender: AmqpSender): AmqpGiver | LinkRefused {
    if (this.identity.moduleId !== '') return noSuchLink
    const link = new CloudToDeviceLink(this.#hub, this.identity.deviceId, sender)
    this.#deviceBound = link
    return {
      ready: () => link.deliver(),
      detached: () => {
        if (this.#deviceBound === link) this.#deviceBound = undefined
      },
    }
  }

  #noteActivity(): void {
    const { name, database, clock, onFault } = this.#hub
    database.write([activity(name, this.identity, clock())]).catch(onFault)
  }
}
