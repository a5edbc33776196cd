import { certificateCredential, type Credential } from '../attestation/attestation.ts'
import { isRegistrationId, registrationKey } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { DeviceRequest } from '../registration/admit.ts'
import type { Attempt } from '../registration/trail.ts'
import { connack, subscriptionRefused, type Connect, type Publish } from '../wire/mqtt/packets.ts'
import { MalformedPacket } from '../wire/mqtt/reader.ts'
import type { ConnectOutcome, MqttConnection, MqttService, MqttSession } from '../wire/mqtt/connection.ts'
import { largestRequest, newTrackingId, refused, whenAnswerable, type DeviceTransport } from './device-transport.ts'
import { operationJson, readRegisterBody } from './device-json.ts'
import { ownBytes } from '../base/gathered.ts'
import { perUnit } from '../base/memory.ts'
import { quoted } from '../base/printable.ts'

/** The only filter a device may subscribe to. [device-wire §3.2] */
const responses = '$dps/registrations/res/#'
/** Requests of one connection that may be under way at once. */
const mostAtOnce = 16

/** The device endpoint over MQTT, whatever bytes carry it. [device-wire §3] */
export function deviceMqtt(transport: DeviceTransport): MqttService {
  /** The connection on which a device last proved itself. */
  const current = new Map<string, MqttConnection>()

  return (connect, connection) => {
    const userName = connect.userName ?? ''
    const identity = readUserName(userName)
    const credential = credentialOf(connect, connection)
    const nobody = { idScope: '', registrationId: connect.clientId, userAgent: '' }
    const device = { ...(identity ?? nobody), credential }
    try {
      if (!identity) throw new Refusal('MqttUserNameInvalid', expectedUserName(userName))
      checkStructure(connect, identity, credential, transport)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      transport.registrar.turnedAway({ ...attemptOf(device, connection), asked: 'connect' }, error)
      return { refused: identity ? connack.notAuthorized : connack.badUserNameOrPassword }
    }
    return session({ ...identity, credential }, connection, transport, current)
  }
}

interface Identity {
  readonly idScope: string
  readonly registrationId: string
  readonly apiVersion: string
  readonly userAgent: string
}

function session(
  identity: Identity & { readonly credential: Credential },
  connection: MqttConnection,
  transport: DeviceTransport,
  current: Map<string, MqttConnection>,
): ConnectOutcome {
  const { idScope, registrationId, apiVersion } = identity
  const { kinds } = transport
  const device = `${idScope}/${registrationKey(registrationId)}`
  /** The quality of service of the device's subscription; undefined while it has none. */
  let subscribed: 0 | 1 | undefined
  let underWay = 0

  async function answer(request: Request, received: number): Promise<void> {
    const trackingId = newTrackingId()
    const { status, json, retryAfter } = await outcome(request, trackingId)
    await whenAnswerable(received, transport)
    // A response that nobody subscribed to has nowhere to go. [device-wire §3.2]
    if (subscribed === undefined) return turnAway(new Refusal('MqttNotSubscribed', unheard(status, request)))
    const later = retryAfter === undefined ? '' : `&retry-after=${retryAfter}`
    connection.publish(`$dps/registrations/res/${status}/?$rid=${request.rid}${later}`, Buffer.from(json), subscribed)
  }

  async function outcome(request: Request, trackingId: string): Promise<Outcome> {
    try {
      const operation = await run(request, trackingId)
      takeOver()
      const json = operationJson(operation, { registrationId, apiVersion, kinds })
      return operation.status === 'assigning'
        ? { status: 202, json, retryAfter: operation.retryAfter ?? transport.retryAfter }
        : { status: 200, json }
    } catch (error) {
      return refused(error, { ...attemptOf(identity, connection), trackingId }, transport)
    }
  }

  async function run({ operationId, body }: Request, trackingId: string) {
    const { registrar } = transport
    const device: DeviceRequest = {
      ...identity,
      protocol: 'Mqtt',
      remoteAddress: connection.peer.remoteAddress,
      standing: connection.peer.standing,
      trackingId,
    }
    if (operationId !== undefined) return registrar.status(device, operationId)
    const { registrationId: bodyRegistrationId, payload, claim } = readRegisterBody(body, kinds)
    if (claim) throw new Refusal('AttestationUnavailable', `${claim.called} attestation is not available over MQTT`)
    const answered = await registrar.register({ ...device, bodyRegistrationId, payload })
    if ('challenge' in answered) throw new Refusal('AttestationUnavailable', 'a challenge cannot be answered over MQTT')
    return answered.operation
  }

  /**
   * One connection a device [MQTT-3.1.4-2]; but a name alone must not cut another off, so the older connection goes when the
   * newer has proven itself, not at CONNECT.
   */
  function takeOver(): void {
    const older = current.get(device)
    current.set(device, connection)
    if (older && older !== connection) older.destroy()
  }

  function turnAway(refusal: Refusal): void {
    transport.registrar.turnedAway({ ...attemptOf(identity, connection), asked: 'connect' }, refusal)
  }

  const ours: MqttSession = {
    subscribe: (filters) =>
      filters.map(({ filter, qos }) => {
        if (filter !== responses) {
          turnAway(new Refusal('MqttTopicUnknown', `expected the filter ${responses}, found ${topicOf(filter)}`))
          return subscriptionRefused
        }
        // What is granted is also what answers are sent with. [MQTT-3.8.4-6]
        subscribed = qos === 0 ? 0 : 1
        return subscribed
      }),
    unsubscribe: (filters) => {
      if (filters.includes(responses)) subscribed = undefined
    },
    publish: (packet) => {
      if (packet.payload.length > largestRequest) {
        const tooLarge = new Refusal('BodyTooLarge', `the body is longer than ${largestRequest} bytes`)
        transport.registrar.turnedAway(attemptOf(identity, connection), tooLarge)
        throw new MalformedPacket('a request beyond the limit', { told: true })
      }
      const request = readRequest(packet)
      if (!request) {
        turnAway(new Refusal('MqttTopicUnknown', `expected the topic of a request, found ${topicOf(packet.topic)}`))
        throw new MalformedPacket('a topic that is not for devices', { told: true })
      }
      if (++underWay > mostAtOnce) throw new MalformedPacket('too many requests at once')
      const { memory } = connection.peer
      const bytes = 2 * packet.topic.length + request.body.length + perUnit
      memory?.count(bytes)
      // Not awaited: PUBACK goes first, the answer after it. [device-wire §0.7]
      void connection.guard(() =>
        answer(request, transport.monotonic()).finally(() => {
          underWay--
          memory?.count(-bytes)
        }),
      )
    },
    closed: () => {
      if (current.get(device) === connection) current.delete(device)
    },
  }
  return { session: ours, sessionPresent: false }
}

interface Outcome {
  readonly status: number
  readonly json: string
  readonly retryAfter?: number | undefined
}

interface Request {
  /** Echoed byte for byte. */
  readonly rid: string
  /** Absent: register. */
  readonly operationId?: string
  readonly body: Buffer
}

const userNameShape = /^([^/]+)\/registrations\/([^/]+)\/(.*)$/i

/** `{idScope}/registrations/{registrationId}/api-version=…[&ClientVersion=…]`. [device-wire §3.1] */
function readUserName(userName: string): Identity | undefined {
  const [, idScope, id, tail] = userNameShape.exec(userName) ?? []
  if (idScope === undefined || id === undefined || tail === undefined) return undefined
  const properties = new Map<string, string>()
  for (const property of tail.split('&')) {
    const at = property.indexOf('=')
    if (at > 0) properties.set(property.slice(0, at).toLowerCase(), property.slice(at + 1))
  }
  const apiVersion = properties.get('api-version')
  if (!apiVersion) return undefined
  return { idScope, registrationId: decoded(id), apiVersion, userAgent: decoded(properties.get('clientversion') ?? '') }
}

function credentialOf({ password }: Connect, { peer }: MqttConnection): Credential {
  if (password && password.length > 0) return { kind: 'token', token: password.toString('utf8') }
  return certificateCredential(peer.certificateChain)
}

/** What is wrong on the face of it is refused here; credentials are checked at register, as the real service does. [device-wire §3.1] */
function checkStructure(
  { clientId }: Connect,
  { registrationId }: Identity,
  credential: Credential,
  { kinds }: DeviceTransport,
): void {
  if (!isRegistrationId(registrationId)) {
    throw new Refusal('RegistrationIdInvalid', `${quoted(registrationId)} is not a registration ID`)
  }
  if (registrationKey(clientId) !== registrationKey(registrationId)) {
    const found = `expected the client ID ${registrationId}, as the user name says; found ${quoted(clientId)}`
    throw new Refusal('MqttClientIdMismatch', found)
  }
  if (credential.kind === 'none') throw new Refusal('CredentialMissing', 'no password and no certificate were sent')
  for (const kind of Object.values(kinds)) kind.onConnect?.(credential, registrationId)
}

function expectedUserName(found: string): string {
  return `expected {idScope}/registrations/{registrationId}/api-version=…, found ${quoted(found)}`
}

function attemptOf(
  {
    idScope,
    registrationId,
    userAgent,
    credential,
  }: Omit<Identity, 'apiVersion'> & { readonly credential: Credential },
  { peer }: MqttConnection,
): Attempt {
  const { remoteAddress, standing } = peer
  return {
    idScope,
    registrationId,
    userAgent,
    credential,
    protocol: 'Mqtt',
    remoteAddress,
    standing,
    trackingId: newTrackingId(),
  }
}

/** Characters. SDKs send a number or a GUID; in three bytes each, these leave room for the rest of the answer's topic. */
const longestRequestId = 16_384

const requestTopic = /^\$dps\/registrations\/(PUT\/iotdps-register|GET\/iotdps-get-operationstatus)\/?\?(.*)$/

/** Anything else than a request that can be answered closes the connection. Undefined for another topic. [device-wire §3.6] */
function readRequest({ topic, payload }: Publish): Request | undefined {
  const [, action, query = ''] = requestTopic.exec(topic) ?? []
  const properties = new Map(
    query.split('&').map((property): [string, string] => {
      const at = property.indexOf('=')
      return [property.slice(0, Math.max(at, 0)), property.slice(at + 1)]
    }),
  )
  const rid = properties.get('$rid')
  if (action === undefined || rid === undefined) return undefined
  if (rid.length > longestRequestId) throw new MalformedPacket('a request ID that no answer could carry')
  if (action.startsWith('PUT')) return { rid, body: ownBytes(payload) }
  return { rid, operationId: decoded(properties.get('operationId') ?? ''), body: ownBytes(payload) }
}

/** With the mistake, where the topic shows it. */
function topicOf(topic: string): string {
  const eaten = /^\/registrations\/|\?=/.test(topic) ? ': a shell took the names behind $ away' : ''
  return `${quoted(topic)}${eaten}`
}

function unheard(status: number, { rid, operationId }: Request): string {
  const asked = operationId === undefined ? 'registering' : 'polling'
  return `the answer to ${asked} (status ${status}, $rid=${quoted(rid, 64)}) had nowhere to go: the device has no subscription to ${responses}`
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
