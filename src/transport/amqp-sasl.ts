import type { SaslService } from '../attestation/attestation-kind.ts'
import type { Credential, Device, ProvenIdentity } from '../attestation/attestation.ts'
import { Refusal } from '../model/refusal.ts'
import type { DeviceRequest } from '../registration/admit.ts'
import { readPlain, type SaslMechanism, type SaslMechanisms } from '../wire/amqp/sasl.ts'
import type { Peer } from '../base/peer.ts'
import { newTrackingId, whenAnswerable, type DeviceTransport } from './device-transport.ts'
import { quoted } from '../base/printable.ts'

/** The api-version is not known before the links are. */
const apiVersion = '2019-03-31'

/**
 * How a device may authenticate before OPEN, in the order that SDKs were made for. Java insists on finding its own mechanism,
 * Node takes the first that it can. Anonymous is never among them. [device-wire §4.1]
 */
export function deviceSasl(transport: DeviceTransport, peer: Peer): SaslMechanisms<ProvenIdentity> {
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

  const prove = async (device: Device, credential: Credential): Promise<ProvenIdentity | undefined> =>
    unlessRefused(transport, async () => {
      await transport.registrar.authenticate(request(device, credential))
      return { device, credential }
    })

  const plain: SaslMechanism<ProvenIdentity> = async (initialResponse) => {
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

  const service: SaslService = {
    prove,
    begin: async (device, credential) => {
      const answer = await unlessRefused(transport, () => transport.registrar.register(request(device, credential)))
      return answer && ('challenge' in answer ? answer.challenge : 'none')
    },
  }
  const ofKinds = Object.values(transport.kinds).flatMap(({ sasl }): [string, SaslMechanism<ProvenIdentity>][] =>
    sasl ? [[sasl.mechanism, (initial, challenge) => sasl.converse(initial, challenge, service)]] : [],
  )

  const external: SaslMechanism<ProvenIdentity> = async () => {
    const chain = peer.certificateChain
    return chain.length > 0 ? { credential: { kind: 'certificate', chain } } : undefined
  }

  return new Map([...ofKinds, ['PLAIN', plain], ['EXTERNAL', external]])
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
