import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { DeviceCredential } from '../../sdk/runner.ts'
import type { HttpsAnswer, HttpsRequest } from '../fixtures/https.ts'
import { sasToken, type TokenOptions } from '../fixtures/sas.ts'
import type { Service } from '../fixtures/service.ts'
import type { ControlPlane } from '../management/control-plane.ts'

/** A decision record, as the control plane shows it. */
export interface Told {
  readonly outcome: string
  readonly reason?: string
  readonly detail?: string
  readonly remedy?: string
  readonly trackingId: string
  readonly idScope: string
  readonly registrationId: string
  readonly protocol: string
  readonly findings: readonly Readonly<Record<string, unknown>>[]
}

/** What every case of this folder works with. */
export interface World {
  readonly plane: ControlPlane
  readonly service: Service
  /** The name of the deployment's first instance. */
  readonly instance: string
  /** A certificate for a server at this address, of a CA that the service was told to trust. */
  readonly serverAt: (host: string) => Promise<{ host: string; key: string; certificate: string }>
}

/** One reason, and how a device, or whoever asks what would become of one, comes to meet it. */
export interface Case {
  readonly reason: string
  /** Where the reason has several faces. */
  readonly when?: string
  /** What the operator must be told: expected against found. */
  readonly says: RegExp
  /** Makes the attempt under this registration ID, and gives what the device was told, if that is a body. */
  readonly attempt: (world: World, registrationId: string) => Promise<HttpsAnswer | Told | undefined>
}

/** The registration ID's own enrollment with a new symmetric key, which is returned. */
export async function enroll({ service }: World, registrationId: string, entry: object = {}): Promise<string> {
  const key = Buffer.from(registrationId.padEnd(64, '.')).toString('base64')
  const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: key, secondaryKey: other } }
  await service.operate('PUT', `/enrollments/${encodeURIComponent(registrationId)}`, {
    registrationId,
    attestation,
    ...entry,
  })
  return key
}

/** A key that is nobody's. */
export const other = Buffer.alloc(64, 7).toString('base64')

/** A group; it vouches for devices of this instance. */
export async function enrollGroup({ service }: World, enrollmentGroupId: string, attestation: object): Promise<void> {
  await service.operate('PUT', `/enrollmentGroups/${enrollmentGroupId}`, { enrollmentGroupId, attestation })
}

/** A group whose devices are issued below this certificate. */
export function enrollIssuer(world: World, id: string, certificate: string): Promise<void> {
  return enrollGroup(world, id, { type: 'x509', x509: { signingCertificates: { primary: { certificate } } } })
}

/** A registration over HTTPS; `change` makes it a bad one. */
export function register(
  { service }: World,
  registrationId: string,
  change: Partial<HttpsRequest> = {},
  idScope: string = service.idScope,
): Promise<HttpsAnswer> {
  const path = `/${idScope}/registrations/${encodeURIComponent(registrationId)}/register?api-version=2019-03-31`
  return service.https({ method: 'PUT', path, body: { registrationId }, ...change })
}

/** With a token of this key for the device. */
export function withKey(
  { service }: World,
  registrationId: string,
  key: string,
  options: TokenOptions = {},
  resource: string = `${service.idScope}/registrations/${registrationId}`,
): Partial<HttpsRequest> {
  return { headers: { authorization: sasToken(resource, key, options) } }
}

/** With a client certificate and what is sent of its chain. */
export function withCertificate(credential: DeviceCredential): Partial<HttpsRequest> {
  assert.ok('certificate' in credential)
  return { cert: credential.certificate, key: credential.key }
}

/** A hub of somebody else's, at this address, that answers every call alike; its CA is what the service was told to trust. */
export async function foreignHub(
  { host, key, certificate }: { host: string; key: string; certificate: string },
  answer: { status: number; body: string },
): Promise<AsyncDisposable> {
  const server = createServer({ key, cert: certificate }, (_, response) => {
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body)
  })
  server.listen(443, host)
  await once(server, 'listening')
  return {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** The newest decision record of a device, from the control plane. */
export async function decisionOf({ plane }: World, registrationId: string): Promise<Told> {
  const query = new URLSearchParams({ registrationId, limit: '1' })
  const { value } = (await plane.call('GET', `/decisions?${query}`)).json()
  const [decision] = value as Told[]
  assert.ok(decision, `there is a record of ${registrationId}`)
  return decision
}

/** The newest record of an attempt that named no device, over this wire. */
export async function latestUnattributed({ plane }: World, protocol: string): Promise<Told> {
  const { value } = (await plane.call('GET', '/decisions?registrationId=&limit=20')).json()
  const decision = (value as Told[]).find((told) => told.protocol === protocol)
  assert.ok(decision, `there is a record of a nameless attempt over ${protocol}`)
  return decision
}

/** The record under this ID that says so, once it is there; fails after five seconds. */
export async function found({ plane }: World, registrationId: string, says: RegExp): Promise<Told> {
  for (const until = Date.now() + 5000; ; await wait(50)) {
    const { value } = (await plane.call('GET', `/decisions?registrationId=${registrationId}&limit=100`)).json()
    const told = (value as Told[]).find(({ detail }) => says.test(detail ?? ''))
    if (told) return told
    if (Date.now() > until)
      throw new Error(`${says} was not told: ${JSON.stringify((value as Told[]).map(({ detail }) => detail))}`)
  }
}
