import type { MqttConnection, MqttSession } from '../../wire/mqtt/connection.ts'
import { type Connect, type Publish, subscriptionRefused } from '../../wire/mqtt/packets.ts'
import { MalformedPacket } from '../../wire/mqtt/reader.ts'
import type { Write } from '../../sqlite/transactions.ts'
import { Unwritable } from '../../sqlite/unwritable.ts'
import type { Connection, MethodAnswer } from '../connections.ts'
import { MethodCalls } from '../method-calls.ts'
import { completion, type CloudToDeviceMessage, delivery, forgetSpent, waiting } from '../cloud-to-device.ts'
import type { Hub } from '../hub.ts'
import { asRefusal, HubRefusal, refusalBody } from '../hub-refusal.ts'
import { clientOf, type Identity } from '../identity.ts'
import { activity, modelUpdate } from '../identity-table.ts'
import { isJsonObject, jsonFault, type JsonObject, parseJson } from '../../base/json.ts'
import { largestTelemetry } from '../telemetry.ts'
import { deviceTwinJson } from '../twin.ts'
import { existingTwin, report } from '../twin-changes.ts'
import { withoutMetadata } from '../twin-request.ts'
import type { SubscriptionStore } from './subscriptions.ts'
import { publicationOf, subscriptionOf, subscriptions, topicBase, twinAnswerTopic } from './topics.ts'

/** What setTimeout can wait. */
const longestWait = 2 ** 31 - 1
/** Milliseconds after which messages that could not be counted as delivered are tried again. */
const redeliverAfter = 5000
const nothing = Buffer.alloc(0)

/** A device's, or module's, dealings with its hub over one MQTT connection. [service-wire §13.2] */
export class DeviceSession implements MqttSession, Connection {
  readonly #hub: Hub
  readonly #connection: MqttConnection
  readonly #identity: Identity
  readonly #client: string
  readonly #base: string
  readonly #expires: number
  readonly #subscriptions: SubscriptionStore
  readonly #will: Connect['will']
  readonly #calls = new MethodCalls()
  /** Deliveries that wait for their PUBACK, by packet identifier. */
  readonly #unacknowledged = new Map<number, Pick<CloudToDeviceMessage, 'sequence' | 'properties'>>()
  #delivered = 0
  #redelivery: NodeJS.Timeout | undefined
  #expiry: NodeJS.Timeout | undefined

  constructor(
    hub: Hub,
    connection: MqttConnection,
    identity: Identity,
    expires: number,
    store: SubscriptionStore,
    will: Connect['will'],
  ) {
    this.#hub = hub
    this.#connection = connection
    this.#identity = identity
    this.#client = clientOf(identity)
    this.#base = topicBase(identity)
    this.#expires = expires
    this.#subscriptions = store
    this.#will = will
  }

  /** Take the client's place among the connections, and deliver what waited for it once CONNACK is on its way. */
  open(model: string | undefined): void {
    this.#hub.connections.add(this.#client, this)
    this.#write(activity(this.#hub.name, this.#identity, this.#hub.clock()))
    if (model !== undefined) this.#write(modelUpdate(this.#hub.name, this.#identity, model))
    this.#closeAtExpiry()
    setImmediate(() => void this.#connection.guard(() => this.subscribed()))
  }

  async subscribe(filters: readonly { filter: string; qos: number }[]): Promise<readonly number[]> {
    const granted = filters.map(({ filter, qos }) => subscriptionOf(this.#base, filter, qos))
    try {
      await this.#subscriptions.add(granted.reduce<number>((sum, bits) => sum | (bits ?? 0), 0))
    } catch (error) {
      // A subscription that could not be kept is not granted; the client may ask again on this connection.
      if (!(error instanceof Unwritable)) throw error
      return filters.map(() => subscriptionRefused)
    }
    return filters.map(({ qos }, index) => (granted[index] === undefined ? subscriptionRefused : Math.min(qos, 1)))
  }

  unsubscribe(filters: readonly string[]): void {
    const bits = filters.reduce((sum, filter) => sum | (subscriptionOf(this.#base, filter, 1) ?? 0), 0)
    this.#subscriptions.remove(bits).catch(this.#hub.onFault)
  }

  subscribed(): void {
    if (this.#connection.closed) return
    this.deliver()
    if (this.takesMethods()) this.#hub.connections.announce(this.#client)
  }

  async publish({ topic, payload, retain }: Publish): Promise<void> {
    const publication = publicationOf(this.#base, topic)
    switch (publication?.kind) {
      case 'telemetry':
        return this.#keep(
          retain ? withProperty(publication.properties, 'mqtt-retain=true') : publication.properties,
          payload,
        )
      case 'twinGet':
        return this.#answer(publication.rid, () => this.#twin(publication.rid))
      case 'reported':
        return this.#answer(publication.rid, () => this.#report(publication.rid, payload, publication.version))
      case 'methodAnswer':
        return this.#calls.answer(Number.parseInt(publication.rid, 16), publication.status, payload)
      case undefined:
        throw new MalformedPacket('not a topic that this client may publish to')
    }
  }

  acknowledged(packetId: number): void {
    const message = this.#unacknowledged.get(packetId)
    if (!message) return
    this.#unacknowledged.delete(packetId)
    this.#write(...completion(this.#hub, this.#identity.deviceId, message))
  }

  closed(graceful: boolean): void {
    clearTimeout(this.#expiry)
    clearTimeout(this.#redelivery)
    this.#hub.connections.remove(this.#client, this)
    this.#calls.end()
    this.#write(activity(this.#hub.name, this.#identity, this.#hub.clock()))
    if (this.#unacknowledged.size > 0) this.#write(...forgetSpent(this.#hub, this.#identity.deviceId))
    if (!graceful && this.#will) this.#keepWill(this.#will)
  }

  /** In order, not by a reset: the Node SDK does not come back from `read ECONNRESET`. */
  close(): void {
    this.#connection.end()
  }

  takesMethods(): boolean {
    return this.#subscriptions.has(subscriptions.methods)
  }

  desiredChanged(patch: JsonObject, version: number): void {
    if (!this.#subscriptions.has(subscriptions.desired)) return
    const topic = `$iothub/twin/PATCH/properties/desired/?$version=${version}`
    this.#send(topic, JSON.stringify({ ...patch, $version: version }))
  }

  deliver(): void {
    if (this.#identity.moduleId !== '' || !this.#subscriptions.has(subscriptions.deviceBound)) return
    const before = this.#delivered
    const messages = waiting(this.#hub, this.#identity.deviceId, before)
    const last = messages.at(-1)?.sequence
    if (last === undefined) return
    this.#delivered = last
    this.#deliver(messages).catch((fault: unknown) => {
      // None of them was sent: the next delivery begins with them.
      this.#delivered = Math.min(this.#delivered, before)
      this.#redelivery ??= setTimeout(() => {
        this.#redelivery = undefined
        this.deliver()
      }, redeliverAfter).unref()
      this.#hub.onFault(fault)
    })
  }

  invoke(method: string, payload: string, timeout: number): Promise<MethodAnswer | undefined> {
    return this.#calls.begin(timeout, (call) => {
      this.#send(`$iothub/methods/POST/${method}/?$rid=${call.toString(16)}`, payload)
    })
  }

  /** Counted before they are sent, so that no message is delivered more often than allowed. */
  async #deliver(messages: readonly CloudToDeviceMessage[]): Promise<void> {
    const qos = this.#subscriptions.has(subscriptions.deviceBoundAcknowledged) ? 1 : 0
    await this.#hub.database.write(
      messages.flatMap((message) =>
        qos === 1 ? [delivery(message.sequence)] : completion(this.#hub, this.#identity.deviceId, message),
      ),
    )
    for (const { sequence, properties, body } of messages) {
      const packetId = this.#connection.publish(`${this.#base}/messages/devicebound/${properties}`, body, qos)
      if (qos === 1) this.#unacknowledged.set(packetId, { sequence, properties })
    }
  }

  #keep(properties: string, body: Buffer): Promise<void> {
    if (body.length > largestTelemetry) throw new MalformedPacket('the message is larger than 256 KiB')
    const { deviceId, moduleId } = this.#identity
    const message = { deviceId, moduleId, enqueued: this.#hub.clock(), properties, body }
    return this.#hub.telemetry.append(this.#hub.name, message)
  }

  #keepWill({ topic, payload }: NonNullable<Connect['will']>): void {
    const publication = publicationOf(this.#base, topic)
    if (publication?.kind !== 'telemetry' || payload.length > largestTelemetry) return
    this.#keep(withProperty(publication.properties, 'iothub-MessageType=Will'), payload).catch(this.#hub.onFault)
  }

  #twin(rid: string): void {
    const { twin } = existingTwin(this.#hub, this.#identity)
    this.#send(twinAnswerTopic(200, rid), JSON.stringify(deviceTwinJson(twin)))
  }

  async #report(rid: string, payload: Buffer, expected: number | undefined): Promise<void> {
    const text = payload.toString('utf8')
    const patch = parseJson(text)
    if (patch === undefined) throw new HubRefusal('ArgumentInvalid', `the patch ${jsonFault(text)}`)
    if (!isJsonObject(patch)) throw new HubRefusal('ArgumentInvalid', 'the patch is not a JSON object')
    const version = await report(this.#hub, this.#identity, withoutMetadata(patch), expected)
    this.#send(twinAnswerTopic(204, rid, version), '')
  }

  /** Without the subscription there is nowhere to answer to. */
  async #answer(rid: string, run: () => void | Promise<void>): Promise<void> {
    try {
      await run()
    } catch (thrown) {
      const error = asRefusal(thrown)
      if (!(error instanceof HubRefusal)) throw error
      this.#send(twinAnswerTopic(error.status, rid), refusalBody(error, this.#hub.clock()))
    }
  }

  #send(topic: string, payload: string): void {
    const isAnswer = topic.startsWith('$iothub/twin/res/')
    if (isAnswer && !this.#subscriptions.has(subscriptions.twinAnswers)) return
    this.#connection.publish(topic, payload === '' ? nothing : Buffer.from(payload), 0)
  }

  /** A token is good until its expiry and not longer; SDKs renew theirs and reconnect. [service-wire §13.1] */
  #closeAtExpiry(): void {
    const left = this.#expires - this.#hub.clock()
    if (left <= 0) return this.close()
    if (left === Infinity) return
    this.#expiry = setTimeout(
      () => void this.#connection.guard(() => this.#closeAtExpiry()),
      Math.min(left, longestWait),
    )
    this.#expiry.unref()
  }

  #write(...writes: readonly Write[]): void {
    this.#hub.database.write(writes).catch(this.#hub.onFault)
  }
}

function withProperty(properties: string, property: string): string {
  return properties === '' ? property : `${properties}&${property}`
}
