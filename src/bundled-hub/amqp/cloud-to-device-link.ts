import { writeMessage } from '../../wire/amqp/message.ts'
import type { AmqpSender, Delivered } from '../../wire/amqp/service.ts'
import { completion, delivery, forgetSpent, waiting, type CloudToDeviceMessage } from '../cloud-to-device.ts'
import type { Hub } from '../hub.ts'
import { messageOf } from './message-bag.ts'

/** Delivers the device's cloud-to-device messages on a link, and settles them as the device says. */
export class CloudToDeviceLink {
  readonly #hub: Hub
  readonly #deviceId: string
  readonly #sender: AmqpSender
  #delivering = Promise.resolve()

  constructor(hub: Hub, deviceId: string, sender: AmqpSender) {
    this.#hub = hub
    this.#deviceId = deviceId
    this.#sender = sender
  }

  /** Deliver what waits, as far as the device takes it. */
  deliver(): void {
    const { held } = this.#hub
    const free = this.#sender.free()
    if (free <= 0) return
    const messages = waiting(this.#hub, this.#deviceId, 0).slice(0, free)
    if (messages.length === 0) return
    for (const { sequence } of messages) held.set(sequence, { deviceId: this.#deviceId })
    this.#delivering = this.#delivering.then(() => this.#deliver(messages))
  }

  /** Counted before they are sent, so that no message is delivered more often than allowed. */
  async #deliver(messages: readonly CloudToDeviceMessage[]): Promise<void> {
    try {
      await this.#hub.database.write(messages.map(({ sequence }) => delivery(sequence)))
    } catch (fault) {
      for (const { sequence } of messages) this.#hub.held.delete(sequence)
      return this.#hub.onFault(fault)
    }
    for (const message of messages) {
      const bytes = writeMessage(messageOf(message.properties, message.body))
      void this.#sender
        .send(bytes)
        .then((delivered) => this.#settle(message, delivered))
        .catch(this.#hub.onFault)
    }
  }

  async #settle(message: CloudToDeviceMessage, delivered: Delivered): Promise<void> {
    const { database, held, connections } = this.#hub
    const isOver = delivered === 'accepted' || delivered === 'rejected'
    if (isOver) {
      const fate = delivered === 'accepted' ? 'Success' : 'Rejected'
      await database.write(completion(this.#hub, this.#deviceId, message, fate))
    }
    held.delete(message.sequence)
    if (!isOver) await database.write(forgetSpent(this.#hub, this.#deviceId))
    // It may be delivered again, on this link or on that of a connection that took its place.
    connections.get(this.#deviceId)?.deliver()
  }
}
