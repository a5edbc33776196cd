import type { Enrollment } from '../model/enrollment.ts'
import { Refusal } from '../model/refusal.ts'
import type { EnrollingInstance } from './enrolling-instance.ts'

/** Refuse one more enrollment of this kind than the instance may have; replacing `stored` takes no more room. [service-wire §14.1] */
export async function checkQuota(
  { kind, attestation }: Enrollment,
  stored: Enrollment | undefined,
  { store, idScope, kinds, rules: { limits } }: EnrollingInstance,
): Promise<void> {
  if (stored && (kind === 'individual' || stored.attestation.type === attestation.type)) return
  if (kind === 'individual') {
    const limit = limits.individualEnrollments
    if (limit !== undefined && (await store.enrollments.count(idScope)) >= limit) throw reached('enrollments', limit)
    return
  }
  const groups = kinds[attestation.type]?.enrollment.groups
  const limit = groups && limits[groups.limit]
  if (limit === undefined) return
  const { length } = await store.enrollmentGroups.withAttestation(idScope, attestation.type)
  if (length >= limit) throw reached(`${groups?.called} enrollment groups`, limit)
}

function reached(what: string, limit: number): Refusal {
  const said = `The instance already has its ${limit} ${what}.`
  return new Refusal('QuotaReached', said, { said })
}
