import assert from 'node:assert/strict'
import type { DeviceCredential, DeviceRunner, DeviceTransport, ProvisioningResult } from '../../sdk/runner.ts'
import { createRoot } from '../fixtures/certificates.ts'
import { startService, type Service } from '../fixtures/service.ts'

/** The service, and a certificate authority whose leaves it takes as the group `pumps`. */
export interface Plant extends AsyncDisposable {
  readonly service: Service
  /** The chain for a certificate request, from the authority of the group. */
  readonly sign: (request: string) => Promise<string>
  readonly enroll: (registrationId: string, attestation: object) => Promise<void>
  readonly enrollCertificate: (registrationId: string, certificate: string) => Promise<void>
  readonly enrollGroup: (enrollmentGroupId: string, attestation: object) => Promise<void>
  /** Registers the device, which then connects to its hub with the same credential, reads its twin and reports. */
  readonly register: (
    devices: DeviceRunner,
    registrationId: string,
    transport: DeviceTransport,
    attestation: DeviceCredential,
  ) => Promise<ProvisioningResult>
}

/** Starts the service on this network. A twin says which enrollment it came from, as its `marker`. */
export async function openPlant(network: string): Promise<Plant> {
  const service = await startService({ network })
  const root = await createRoot('Plant root')
  const twinOf = (marker: string) => ({ properties: { desired: { marker } } })
  const enroll = async (registrationId: string, attestation: object): Promise<void> => {
    const enrollment = { registrationId, attestation, initialTwin: twinOf(registrationId) }
    await service.operate('PUT', `/enrollments/${registrationId}`, enrollment)
  }
  const enrollGroup = async (enrollmentGroupId: string, attestation: object): Promise<void> => {
    const group = { enrollmentGroupId, attestation, initialTwin: twinOf(enrollmentGroupId) }
    await service.operate('PUT', `/enrollmentGroups/${enrollmentGroupId}`, group)
  }
  const signingCertificates = { primary: { certificate: root.certificate } }
  await enrollGroup('pumps', { type: 'x509', x509: { signingCertificates } })
  return {
    service,
    sign: (request) => root.signRequest(request),
    enroll,
    enrollCertificate: (registrationId, certificate) =>
      enroll(registrationId, { type: 'x509', x509: { clientCertificates: { primary: { certificate } } } }),
    enrollGroup,
    register: (devices, registrationId, transport, attestation) => {
      const { deviceHost: host, idScope } = service
      const report = { alive: true }
      return devices.run({ host, idScope, registrationId, transport, attestation, connect: true, report })
    },
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  }
}

/** Fails unless the device was assigned, and read the twin of this enrollment at its hub. */
export function assertProvisioned(result: ProvisioningResult, device: string, enrollment: string): void {
  assert.equal(result.error, undefined)
  assert.equal(result.status, 'assigned')
  assert.equal(result.deviceId, device)
  assert.equal(result.twin?.desired['marker'], enrollment)
}
