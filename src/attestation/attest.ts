import { enrollmentId, type AttestationMechanism, type Enrollment } from '../model/enrollment.ts'
import { Refusal } from '../model/refusal.ts'
import type { Reader } from '../store/store.ts'
import type { AttestationKind, Attested, Presented, Proof, Verdict } from './attestation.ts'
import { refuseRevoked } from './revocation.ts'

/** The kinds of attestation that are offered, by the name of their mechanism. */
export type AttestationKinds = {
  readonly [type in AttestationMechanism['type']]?: AttestationKind
}

/**
 * Find the enrollment that permits this device and have its kind check the proof. An individual enrollment for the
 * registration ID decides alone: whatever becomes of it, no group is asked. [device-wire §6.2, §7.3; service-wire §9.4]
 */
export async function attest(presented: Presented, kinds: AttestationKinds, store: Reader): Promise<Verdict> {
  const { service, registrationId, credential, trail } = presented
  if (credential.kind === 'none')
    throw new Refusal('CredentialMissing', 'no token, no certificate and no TPM keys were sent')

  const individual = await store.enrollments.get(service.idScope, registrationId)
  if (individual) {
    trail.note({
      step: 'candidate',
      enrollment: registrationId,
      found: `individual enrollment, ${individual.attestation.type}`,
    })
    return verdict(
      presented,
      individual,
      await kindOf(individual, presented, kinds).individual(presented, individual.attestation),
      store,
    )
  }

  for (const kind of Object.values(kinds)) {
    if (!kind.reads(credential)) continue
    const match = await kind.group(presented)
    if (!match) continue
    trail.note({ step: 'candidate', enrollment: match.group.enrollmentGroupId, found: `group, ${kind.type}, vouches` })
    return verdict(presented, match.group, match, store)
  }
  if ('tpm' in credential && credential.tpm) {
    throw new Refusal('TpmEnrollmentNotFound', `no individual TPM enrollment has the registration ID ${registrationId}`)
  }
  throw new Refusal(
    'EnrollmentNotFound',
    `no individual enrollment has the registration ID ${registrationId}, and no group vouches for it`,
  )
}

function kindOf(enrollment: Enrollment, { credential }: Presented, kinds: AttestationKinds): AttestationKind {
  const kind = kinds[enrollment.attestation.type]
  if (kind?.reads(credential)) return kind
  throw new Refusal(
    'AttestationTypeMismatch',
    `the enrollment ${enrollmentId(enrollment)} asks for ${enrollment.attestation.type}; the device sent a ${credential.kind}`,
  )
}

async function verdict(presented: Presented, enrollment: Enrollment, proof: Proof, store: Reader): Promise<Verdict> {
  await refuseRevoked(presented, enrollment, proof, store)
  // Disabled comes before the challenge, which would cost the device its hub key. [device-wire §11.5]
  if (enrollment.provisioningStatus === 'disabled') return { is: 'disabled', presented, enrollment }
  if ('challenge' in proof) return { is: 'challenged', presented, enrollment, issue: proof.challenge }
  const { credential: _, ...rest } = presented
  const attested: Attested = { ...rest, enrollment, evidence: proof.evidence }
  return { is: 'attested', attested }
}
