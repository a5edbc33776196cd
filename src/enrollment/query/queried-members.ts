import type { MemberTree } from '../../base/member-tree.ts'
import type { Offered } from '../enrolling-instance.ts'

const shared: MemberTree = {
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
  credentialPolicyName: 'value',
}

/** What queries may name of enrollments, individual ones and groups, with what is offered to them. [service-wire §3.2, §4] */
export function enrollmentMembers(
  idMember: 'registrationId' | 'enrollmentGroupId',
  { kinds, policies }: Offered,
): MemberTree {
  const queried = Object.values(kinds).flatMap(({ type, enrollment }) =>
    enrollment.queried ? [[type, enrollment.queried] as const] : [],
  )
  const defined = Object.values(policies).flatMap(({ definition }) =>
    definition ? [[definition.member, definition.queried] as const] : [],
  )
  const own: MemberTree =
    idMember === 'registrationId'
      ? { registrationId: 'value', deviceId: 'value', optionalDeviceInformation: 'any' }
      : { enrollmentGroupId: 'value' }
  return {
    ...own,
    attestation: { type: 'value', ...Object.fromEntries(queried) },
    ...shared,
    ...Object.fromEntries(defined),
  }
}

/** What queries may name of registrations. [service-wire §5] */
export const registrationMembers: MemberTree = {
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
}
