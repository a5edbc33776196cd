import { randomBytes } from 'node:crypto'
import { certificateCredential, type Credential, type Device, type ProvenIdentity } from '../attestation/attestation.ts'
import { registrationKey } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { Operation } from '../model/registration.ts'
import type { DeviceRequest } from '../registration/admit.ts'
import type { Attempt } from '../registration/trail.ts'
import { int } from '../wire/amqp/encoding.ts'
import type { AmqpMessage, OutgoingMessage } from '../wire/amqp/message.ts'
import type { AmqpError } from '../wire/amqp/performatives.ts'
import { answeringClient, type Answering } from '../wire/amqp/request-reply.ts'
import type { AmqpLink, AmqpService } from '../wire/amqp/service.ts'
import type { Peer } from '../base/peer.ts'
import { deviceSasl, readAddress } from './amqp-sasl.ts'
import { newTrackingId, refused, whenAnswerable, type DeviceTransport } from './device-transport.ts'
import { operationJson, readRegisterBody } from './device-json.ts'
import { quoted, shown } from '../base/printable.ts'

/** What SDKs leave out of their links when they are old or generic. [device-wire §4.4] */
const assumedApiVersion = '2019-03-31'

/** Of links on one connection that are remembered. */
const mostRefusals = 8

/** The device endpoint over AMQP, whatever bytes carry it. [device-wire §4] */
export function deviceAmqp(transport: DeviceTransport): AmqpService<ProvenIdentity> {
  return {
    containerId: `IoTDPSGW_${randomBytes(16).toString('hex')}`,
    hostName: 'gateway000000',
    mechanisms: (peer) => deviceSasl(transport, peer),
    open: (authenticated, peer, opening) => {
      const identity = authenticated ?? { credential: certificateCredential(peer.certificateChain) }
      try {
        refuseNameless(identity.credential, transport)
        return answeringClient(answering(identity, peer, transport), transport.answerDelay, opening)
      } catch (error) {
        const attempt = attemptOf(identity, peer, newTrackingId())
        return { refused: amqpError(error, { ...attempt, asked: 'connect' }, transport) }
      }
    },
  }
}

/** Who can be no device whatever it asks for hears so before it waits for a link. */
function refuseNameless(credential: Credential, { kinds }: DeviceTransport): void {
  if (credential.kind === 'none')
    throw new Refusal('CredentialMissing', 'neither a SASL exchange nor a client certificate came before OPEN')
  for (const kind of Object.values(kinds)) kind.onConnect?.(credential, undefined)
}

function answering(identity: ProvenIdentity, peer: Peer, transport: DeviceTransport): Answering {
  let device = identity.device
  /** Why links were refused before: a device attaches two, and one refusal is told once, under one tracking ID. */
  const refusals = new Map<string, AmqpError>()

  /** Both links, and whoever authenticated, are the same device. [device-wire §4.4] */
  function attach(link: AmqpLink): AmqpError | undefined {
    const trackingId = newTrackingId()
    try {
      const asked = readAddress(link.address)
      if (!asked) throw new Refusal('PathUnknown', `no link has the address ${quoted(link.address)}`)
      if (device && !sameDevice(device, asked)) {
        const { idScope, registrationId } = device
        const found = `the link is for ${shown(`${asked.idScope}/${asked.registrationId}`)}, its connection is of ${shown(`${idScope}/${registrationId}`)}`
        throw new Refusal('TokenForAnotherResource', found)
      }
      if (!device) {
        const { credential } = identity
        const { registrationId } = asked
        for (const kind of Object.values(transport.kinds)) kind.onConnect?.(credential, registrationId)
      }
      device ??= asked
      return undefined
    } catch (error) {
      const attempt = attemptOf({ ...identity, device: readAddress(link.address) ?? device }, peer, trackingId)
      const alike = error instanceof Refusal ? `${error.reason} ${link.address}` : trackingId
      const told = refusals.get(alike) ?? amqpError(error, { ...attempt, asked: 'connect' }, transport)
      if (refusals.size < mostRefusals) refusals.set(alike, told)
      return told
    }
  }

  async function request(message: AmqpMessage, link: AmqpLink): ReturnType<Answering['request']> {
    const trackingId = newTrackingId()
    const received = transport.monotonic()
    try {
      return { reply: await answer(message, link, trackingId) }
    } catch (error) {
      await whenAnswerable(received, transport)
      return { rejected: amqpError(error, attemptOf({ ...identity, device }, peer, trackingId), transport) }
    }
  }

  async function answer(message: AmqpMessage, link: AmqpLink, trackingId: string): Promise<OutgoingMessage> {
    if (!device) throw new TypeError('a link was attached without a device')
    const apiVersion = link.properties.get('com.microsoft:api-version') ?? assumedApiVersion
    const asked: DeviceRequest = {
      ...device,
      apiVersion,
      credential: identity.credential,
      protocol: 'Amqp',
      userAgent: link.properties.get('com.microsoft:client-version') ?? '',
      remoteAddress: peer.remoteAddress,
      standing: peer.standing,
      trackingId,
    }
    const operation = await run(message, asked, transport)
    const later = int(operation.retryAfter ?? transport.retryAfter)
    return {
      body: operationJson(operation, { registrationId: device.registrationId, apiVersion, kinds: transport.kinds }),
      applicationProperties: operation.status === 'assigning' ? bothSpellings(later) : [],
    }
  }

  return { attach, request }
}

async function run(
  message: AmqpMessage,
  device: DeviceRequest,
  { registrar, kinds }: DeviceTransport,
): Promise<Operation> {
  const type = message.applicationProperties.get('iotdps-operation-type')
  switch (type) {
    case 'iotdps-register': {
      const { registrationId: bodyRegistrationId, payload } = readRegisterBody(message.body, kinds)
      const answered = await registrar.register({ ...device, bodyRegistrationId, payload })
      if ('operation' in answered) return answered.operation
      throw new Refusal('CredentialMissing', 'the TPM has not answered its challenge on this connection')
    }
    case 'iotdps-get-operationstatus':
      return registrar.status(device, String(message.applicationProperties.get('iotdps-operation-id') ?? ''))
    default:
      throw new Refusal(
        'PathUnknown',
        `iotdps-operation-type is ${type === undefined ? 'absent' : quoted(String(type), 100)}`,
      )
  }
}

/** Node and Java look for one, C# for the other. [device-wire §4.6] */
function bothSpellings<T>(seconds: T): readonly (readonly [string, T])[] {
  return [
    ['retry-after', seconds],
    ['Retry-After', seconds],
  ]
}

function attemptOf(
  { device, credential }: ProvenIdentity,
  { remoteAddress, standing }: Peer,
  trackingId: string,
): Attempt {
  const { idScope, registrationId } = device ?? { idScope: '', registrationId: '' }
  return { idScope, registrationId, credential, protocol: 'Amqp', userAgent: '', remoteAddress, standing, trackingId }
}

function amqpError(error: unknown, attempt: Attempt, transport: DeviceTransport): AmqpError {
  const { status, json, retryAfter } = refused(error, attempt, transport)
  const info = retryAfter === undefined ? undefined : bothSpellings(int(retryAfter))
  return { condition: conditionOf(status), description: json, info }
}

/** C# takes the class of an error from its JSON, everybody else from the condition. [device-wire §4.7] */
function conditionOf(status: number): string {
  switch (status) {
    case 401:
    case 403:
      return 'amqp:unauthorized-access'
    case 404:
      return 'amqp:not-found'
    case 405:
      return 'amqp:not-allowed'
    case 409:
    case 412:
      return 'amqp:precondition-failed'
    case 413:
      return 'amqp:link:message-size-exceeded'
    case 429:
      return 'com.microsoft:device-container-throttled'
    default:
      return status < 500 ? 'amqp:invalid-field' : 'amqp:internal-error'
  }
}

function sameDevice(a: Device, b: Device): boolean {
  return a.idScope === b.idScope && registrationKey(a.registrationId) === registrationKey(b.registrationId)
}
