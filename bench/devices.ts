import { createRoot, type Authority, type Leaf } from '../test/fixtures/certificates.ts'
import { newKey } from '../test/fixtures/enrollments.ts'
import { askHttps } from '../test/fixtures/https.ts'
import { derivedKey, sasToken } from '../test/fixtures/sas.ts'
import { connectionMembers } from '../test/fixtures/service.ts'
import type { ServerFacts } from './served.ts'

/** The fleet of a run: a symmetric key group, and an X.509 group by its root whose devices send leaf and intermediate. */
export interface Devices {
  readonly groupKey: string
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
}

export type CredentialKind = 'SAS' | 'certificate'

/** Enroll the two groups, and issue one leaf for each certificate registration of the run. */
export async function makeDevices(server: ServerFacts, leaves: number): Promise<Devices> {
  const groupKey = newKey()
  const symmetricKey = { primaryKey: groupKey, secondaryKey: newKey() }
  await enroll(server, 'bench-sas', { type: 'symmetricKey', symmetricKey })
  const root = await createRoot('Bench Root')
  const intermediate = await root.issueAuthority('Bench Intermediate')
  const signingCertificates = { primary: { certificate: root.certificate } }
  await enroll(server, 'bench-x509', { type: 'x509', x509: { signingCertificates } })
  return { groupKey, leaves: await issue(intermediate, leaves) }
}

/** The devices of one round of one scenario: none of them has registered before. */
export function deviceKeys(
  { groupKey, leaves }: Devices,
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

async function enroll(
  { host, httpsPort, ca, serviceConnectionString }: ServerFacts,
  group: string,
  attestation: unknown,
) {
  const { HostName = '', SharedAccessKey = '', SharedAccessKeyName } = connectionMembers(serviceConnectionString)
  const answer = await askHttps(host, httpsPort, ca, {
    method: 'PUT',
    path: `/enrollmentGroups/${group}?api-version=2021-10-01`,
    body: { enrollmentGroupId: group, attestation },
    headers: { host: HostName, authorization: sasToken(HostName, SharedAccessKey, { keyName: SharedAccessKeyName }) },
  })
  if (answer.status !== 200) throw new Error(`enrolling ${group} was answered ${answer.status}: ${answer.text}`)
}
