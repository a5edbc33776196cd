import type { Path } from './syntax.ts'

/** What a record of a collection may have: members by name, `any` where whatever is below is the operator's or device's own. */
export interface QueryMembers {
  readonly [member: string]: QueryMembers | 'value' | 'any'
}

const shared: QueryMembers = {
  attestation: {
    type: 'value',
    tpm: { endorsementKey: 'value', storageRootKey: 'value' },
    x509: { clientCertificates: 'any', signingCertificates: 'any', caReferences: 'any' },
  },
  capabilities: { iotEdge: 'value' },
  iotHubHostName: 'value',
  initialTwin: 'any',
  etag: 'value',
  provisioningStatus: 'value',
  reprovisionPolicy: { updateHubAssignment: 'value', migrateDeviceData: 'value' },
  createdDateTimeUtc: 'value',
  lastUpdatedDateTimeUtc: 'value',
  allocationPolicy: 'value',
  iotHubs: 'any',
  customAllocationDefinition: { webhookUrl: 'value', apiVersion: 'value' },
  credentialPolicyName: 'value',
}

/** The members that queries may name, by what a collection holds. [service-wire §3.2, §4, §5] */
export const queryMembers = {
  enrollment: { registrationId: 'value', deviceId: 'value', optionalDeviceInformation: 'any', ...shared },
  enrollmentGroup: { enrollmentGroupId: 'value', ...shared },
  registration: {
    registrationId: 'value',
    createdDateTimeUtc: 'value',
    assignedHub: 'value',
    deviceId: 'value',
    status: 'value',
    substatus: 'value',
    errorCode: 'value',
    errorMessage: 'value',
    lastUpdatedDateTimeUtc: 'value',
    etag: 'value',
    payload: 'any',
  },
} as const satisfies Record<string, QueryMembers>

/** The path as the records spell it, whatever the letter case; undefined if no record of the collection can have it. */
export function knownPath(path: Path, members: QueryMembers): Path | undefined {
  const spelled: string[] = []
  let here: QueryMembers | 'value' | 'any' = members
  for (const [at, name] of path.entries()) {
    if (here === 'any') return [...spelled, ...path.slice(at)]
    if (here === 'value') return undefined
    const known: string | undefined = Object.keys(here).find((member) => member.toLowerCase() === name.toLowerCase())
    if (known === undefined) return undefined
    spelled.push(known)
    here = here[known]!
  }
  return spelled
}
