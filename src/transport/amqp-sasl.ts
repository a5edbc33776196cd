import type { Challenge, Credential } from '../attestation/attestation.ts'
import { Refusal } from '../model/refusal.ts'
import type { DeviceRequest } from '../registration/admit.ts'
import { readPlain, type SaslMechanism, type SaslMechanisms } from '../wire/amqp/sasl.ts'
import { askStorageRootKey, askToken, readTpmOpening } from '../wire/amqp/sasl-tpm.ts'
import type { Peer } from '../base/peer.ts'
import { newTrackingId, whenAnswerable, type DeviceTransport } from './answer.ts'
import { quoted } from '../base/printable.ts'

/** Whom an address names. */
export interface Device {
  readonly idScope: string
  readonly registrationId: string
}

/** Who has authenticated. A certificate does not say which instance it is for; the first link does. */
export interface Identity {
  readonly device?: Device | undefined
  readonly credential: Credential
}

/** The api-version is not known before the links are. */
const apiVersion = '2019-03-31'

/**
 * How a device may authenticate before OPEN, in the order that SDKs were made for. Java insists on finding its own mechanism,
 * Node takes the first that it can. Anonymous is never among them. [device-wire §4.1]
 */
export function deviceSasl(transport: DeviceTransport, peer: Peer): SaslMechanisms<Identity> {
  const request = (device: Device, credential: Credential): DeviceRequest => ({
    ...device,
    apiVersion,
    credential,
    protocol: 'Amqp',
    userAgent: '',
    remoteAddress: peer.remoteAddress,
    standing: peer.standing,
    trackingId: newTrackingId(),
  })

  const prove = async (device: Device, credential: Credential): Promise<Identity | undefined> =>
    unlessRefused(transport, async () => {
      await transport.registrar.authenticate(request(device, credential))
      return { device, credential }
    })

  const plain: SaslMechanism<Identity> = async (initialResponse) => {
    const said = readPlain(initialResponse)
    const device = said && readAddress(said.userName)
    if (device) return prove(device, { kind: 'token', token: said.password })
    const found = said ? quoted(said.userName) : 'no user name and password'
    const credential: Credential = said ? { kind: 'token', token: said.password } : { kind: 'none' }
    transport.registrar.turnedAway(
      { ...request({ idScope: '', registrationId: '' }, credential), asked: 'connect' },
      new Refusal('SaslResponseInvalid', `PLAIN: expected {idScope}/registrations/{registrationId}, found ${found}`),
    )
    return undefined
  }

  const tpm: SaslMechanism<Identity> = async (initialResponse, challenge) => {
    const opening = readTpmOpening(initialResponse)
    const storageRootKey = opening && (await askStorageRootKey(challenge))
    if (!storageRootKey) return undefined
    const { idScope, registrationId, endorsementKey } = opening
    const device = { idScope, registrationId }
    const keys = { endorsementKey, storageRootKey }
    const credential: Credential = { kind: 'tpm', tpm: keys }
    const answer = await unlessRefused(transport, () => transport.registrar.register(request(device, credential)))
    if (!answer) return undefined
    // Disabled: what was not proven is not challenged for either, and the device is told in answer to its request.
    if ('operation' in answer) return { device, credential }
    const token = await askToken(blobOf(answer.challenge), challenge)
    return token === undefined ? undefined : prove(device, { kind: 'token', token, tpm: keys })
  }

  const external: SaslMechanism<Identity> = async () => {
    const chain = peer.certificateChain
    return chain.length > 0 ? { credential: { kind: 'certificate', chain } } : undefined
  }

  return new Map([
    ['TPM', tpm],
    ['PLAIN', plain],
    ['EXTERNAL', external],
  ])
}

const addressShape = /^(?:amqps:\/\/[^/]*\/|\/)?([^/]+)\/registrations\/([^/]+)$/i

/**
 * `{idScope}/registrations/{registrationId}`, bare, behind a slash or behind `amqps://host/`, as SDKs spell the addresses of
 * their links; undefined for anything else. [device-wire §4.4]
 */
export function readAddress(address: string): Device | undefined {
  const [, idScope, registrationId] = addressShape.exec(address) ?? []
  return idScope !== undefined && registrationId !== undefined ? { idScope, registrationId } : undefined
}

/** SASL has no words for a reason: a refusal is an outcome, and the reason is in the operator's log. */
async function unlessRefused<T>(transport: DeviceTransport, attempt: () => Promise<T>): Promise<T | undefined> {
  const received = transport.monotonic()
  try {
    return await attempt()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    await whenAnswerable(received, transport)
    return undefined
  }
}

function blobOf({ authenticationKey }: Challenge): Buffer {
  return Buffer.from(authenticationKey, 'base64')
}
