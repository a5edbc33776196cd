import type { Enrollment } from '../model/enrollment.ts'
import type { RegistrationId } from '../model/identifiers.ts'
import type { Registration } from '../model/registration.ts'
import type { Timestamp } from '../base/time.ts'

/** What every write of a registration has in common: whose it is, since when, and the spelling it was first known by. */
export function recordOf(
  { registrationId, enrollment }: { readonly registrationId: RegistrationId; readonly enrollment: Enrollment },
  before: Registration | undefined,
  now: Timestamp,
): Pick<
  Registration,
  'registrationId' | 'enrollmentGroupId' | 'attestationType' | 'createdDateTimeUtc' | 'lastUpdatedDateTimeUtc'
> {
  const own = enrollment.kind === 'individual' ? enrollment.registrationId : registrationId
  return {
    registrationId: before?.registrationId ?? own,
    enrollmentGroupId: enrollment.kind === 'group' ? enrollment.enrollmentGroupId : undefined,
    attestationType: enrollment.attestation.type,
    createdDateTimeUtc: before?.createdDateTimeUtc ?? now,
    lastUpdatedDateTimeUtc: now,
  }
}
