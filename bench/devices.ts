import { createRoot, type Authority, type Leaf } from '../test/fixtures/certificates.ts'
import { newKey } from '../test/fixtures/enrollments.ts'
import { askHttps } from '../test/fixtures/https.ts'
import { derivedKey, sasToken } from '../test/fixtures/sas.ts'
import { connectionMembers } from '../test/fixtures/service.ts'
import { newChip, type Chip } from '../test/fixtures/tpm-chip.ts'
import type { ServerFacts } from './served.ts'

/**
 * The fleet of a run: a symmetric key group, an X.509 group by its root whose devices send leaf and intermediate, and individual
 * enrollments that all have the same TPM.
 */
export interface Devices {
  readonly groupKey: string
  readonly chip: Chip
  /** Issued beforehand; each is a device that registers once in every round. */
  readonly leaves: readonly NamedLeaf[]
}

export interface NamedLeaf extends Leaf {
  readonly registrationId: string
}

/** One device as a client sees it. */
export interface DeviceKeys {
  readonly registrationId: string
  /** A shared access signature, where the device has no certificate. */
  readonly token?: string
  readonly leaf?: Leaf
  readonly chip?: Chip
}

export type CredentialKind = 'SAS' | 'certificate' | 'TPM'

/** Enroll the two groups and the TPMs; one leaf and one TPM enrollment for each registration of the run. */
export async function makeDevices(server: ServerFacts, registrations: number): Promise<Devices> {
  const groupKey = newKey()
  const symmetricKey = { primaryKey: groupKey, secondaryKey: newKey() }
  await enroll(server, 'bench-sas', { type: 'symmetricKey', symmetricKey })
  const root = await createRoot('Bench Root')
  const intermediate = await root.issueAuthority('Bench Intermediate')
  const signingCertificates = { primary: { certificate: root.certificate } }
  await enroll(server, 'bench-x509', { type: 'x509', x509: { signingCertificates } })
  const chip = newChip()
  await enrollTpms(server, chip, registrations)
  return { groupKey, chip, leaves: await issue(intermediate, registrations) }
}

/** The devices of one round of one scenario: none of them has registered before. */
export function deviceKeys(
  { groupKey, chip, leaves }: Devices,
  credential: CredentialKind,
  prefix: string,
  count: number,
  round: number,
): DeviceKeys[] {
  return Array.from({ length: count }, (_, index) => {
    if (credential === 'certificate') {
      const leaf = leaves[round * count + index]!
      return { registrationId: leaf.registrationId, leaf }
    }
    if (credential === 'TPM') return { registrationId: `bench-tpm-${round * count + index}`, chip }
    const registrationId = `${prefix}-${index}`.toLowerCase()
    return { registrationId, token: derivedKey(groupKey, registrationId) }
  })
}

/** The token that a device signs for itself. */
export function tokenOf(idScope: string, { registrationId, token }: DeviceKeys): string {
  return sasToken(`${idScope}/registrations/${registrationId}`, token ?? '', { keyName: 'registration' })
}

async function issue(intermediate: Authority, count: number): Promise<NamedLeaf[]> {
  const leaves: NamedLeaf[] = []
  for (let index = 0; index < count; index++) {
    const registrationId = `bench-leaf-${index}`
    leaves.push({ registrationId, ...(await intermediate.issueLeaf(registrationId)) })
  }
  return leaves
}

function enroll(server: ServerFacts, group: string, attestation: unknown): Promise<void> {
  return operate(server, 'PUT', `/enrollmentGroups/${group}`, { enrollmentGroupId: group, attestation })
}

/** Ten in a call, as many as one takes. */
async function enrollTpms(server: ServerFacts, chip: Chip, count: number): Promise<void> {
  const attestation = { type: 'tpm', tpm: { endorsementKey: chip.endorsementKey.toString('base64') } }
  for (let first = 0; first < count; first += 10) {
    const length = Math.min(10, count - first)
    const ids = Array.from({ length }, (_, index) => `bench-tpm-${first + index}`)
    const enrollments = ids.map((registrationId) => ({ registrationId, attestation }))
    await operate(server, 'POST', '/enrollments', { mode: 'create', enrollments })
  }
}

async function operate(
  { host, httpsPort, ca, serviceConnectionString }: ServerFacts,
  method: string,
  path: string,
  body: unknown,
): Promise<void> {
  const { HostName = '', SharedAccessKey = '', SharedAccessKeyName } = connectionMembers(serviceConnectionString)
  const answer = await askHttps(host, httpsPort, ca, {
    method,
    path: `${path}?api-version=2021-10-01`,
    body,
    headers: { host: HostName, authorization: sasToken(HostName, SharedAccessKey, { keyName: SharedAccessKeyName }) },
  })
  if (answer.status !== 200) throw new Error(`${method} ${path} was answered ${answer.status}: ${answer.text}`)
}
