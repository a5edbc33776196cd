import type { Enrollment } from '../model/enrollment.ts'
import { Refusal } from '../model/refusal.ts'
import type { Instance } from './instance.ts'

/** Refuse one more enrollment of this kind than the instance may have; replacing `stored` takes no more room. [service-wire §14.1] */
export async function checkQuota(
  { kind, attestation }: Enrollment,
  stored: Enrollment | undefined,
  { store, idScope, rules: { limits } }: Instance,
): Promise<void> {
  if (stored && (kind === 'individual' || stored.attestation.type === attestation.type)) return
  if (kind === 'individual') {
    const limit = limits.individualEnrollments
    if (limit !== undefined && (await store.enrollments.count(idScope)) >= limit) throw reached('enrollments', limit)
    return
  }
  const x509 = attestation.type === 'x509'
  const limit = x509 ? limits.x509Groups : limits.symmetricKeyGroups
  if (limit === undefined) return
  const groups = await store.enrollmentGroups.withAttestation(idScope, x509 ? 'x509' : 'symmetricKey')
  if (groups.length >= limit) throw reached(`${x509 ? 'X.509' : 'symmetric key'} enrollment groups`, limit)
}

function reached(what: string, limit: number): Refusal {
  const said = `The instance already has its ${limit} ${what}.`
  return new Refusal('QuotaReached', said, { said })
}
