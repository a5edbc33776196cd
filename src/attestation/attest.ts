import type { Brand } from '../base/brand.ts'
import type { Enrollment, IndividualEnrollment } from '../model/enrollment.ts'
import { Refusal } from '../model/refusal.ts'
import type { Reader } from '../store/store.ts'
import type { Prover, Provers } from './attestation-kind.ts'
import {
  claimOf,
  nameOf,
  type Attested,
  type Evidence,
  type Presented,
  type Proof,
  type Verdict,
} from './attestation.ts'
import { refuseRevoked } from './refuse-revoked.ts'
import { unproven } from './unproven.ts'

/**
 * Find the enrollment that permits this device and have its kind check the proof. An individual enrollment for the
 * registration ID decides alone: whatever becomes of it, no group lets the device in. Whoever proves nothing is answered alike,
 * after the same work, whatever is enrolled. [device-wire §6.2, §7.3; service-wire §9.4]
 */
export async function attest(presented: Presented, provers: Provers, store: Reader): Promise<Verdict> {
  const { service, registrationId, credential } = presented
  if (credential.kind === 'none')
    throw new Refusal('CredentialMissing', 'no token, no certificate and no TPM keys were sent')
  const offered = Object.values(provers).filter((kind) => kind.reads(credential))
  for (const kind of offered) kind.check?.(presented)

  const individual = await store.enrollments.get(service.idScope, registrationId)
  const { enrollment, proof } = await revealingNothing(presented, individual, offered, () =>
    individual ? byIndividual(presented, individual, offered) : byGroup(presented, offered),
  )
  return verdict(presented, enrollment, proof, provers, store)
}

/** A device that was attested when its operation began goes on with it: the evidence was kept, the enrollment is as it is now. */
export function attestedBefore(shown: Shown, enrollment: Enrollment, evidence: Evidence): Attested {
  return attestedOf(shown, enrollment, evidence)
}

interface Found {
  readonly enrollment: Enrollment
  readonly proof: Proof
}

async function byIndividual(
  presented: Presented,
  individual: IndividualEnrollment,
  offered: readonly Prover[],
): Promise<Found> {
  const { attestation, registrationId } = individual
  const found = `individual enrollment, ${attestation.type}`
  presented.trail.note({ step: 'candidate', enrollment: registrationId, found })
  const kind = offered.find(({ type }) => type === attestation.type)
  if (!kind) {
    throw new Refusal(
      'AttestationTypeMismatch',
      `the enrollment ${registrationId} asks for ${attestation.type}; the device sent a ${nameOf(presented.credential)}`,
    )
  }
  return { enrollment: individual, proof: await kind.individual(presented, attestation) }
}

async function byGroup(presented: Presented, offered: readonly Prover[]): Promise<Found> {
  const { registrationId, credential, trail } = presented
  for (const kind of offered) {
    const match = await kind.group(presented)
    if (!match) continue
    trail.note({ step: 'candidate', enrollment: match.group.enrollmentGroupId, found: `group, ${kind.type}, vouches` })
    return { enrollment: match.group, proof: match }
  }
  const claim = claimOf(credential)
  if (claim) {
    const found = `no individual ${claim.called} enrollment has the registration ID ${registrationId}`
    throw new Refusal(claim.refusedAs, found)
  }
  throw new Refusal(
    'EnrollmentNotFound',
    `no individual enrollment has the registration ID ${registrationId}, and no group vouches for it`,
  )
}

/**
 * Whoever fails must not learn what is enrolled under a guessed name, neither from the answer nor from its time: what was
 * spared is done in vain, and the answer depends on what was sent alone.
 */
async function revealingNothing(
  presented: Presented,
  individual: IndividualEnrollment | undefined,
  offered: readonly Prover[],
  find: () => Promise<Found>,
): Promise<Found> {
  try {
    return await find()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const unnoted = { ...presented, trail: { note: () => {}, end: () => {} } }
    const spared = offered.flatMap((kind) => [
      ...(individual?.attestation.type === kind.type ? [] : [() => kind.individual(unnoted, kind.decoy)]),
      ...(individual ? [() => kind.group(unnoted)] : []),
    ])
    let throttled = error.reason === 'Throttled' ? error : undefined
    for (const attempt of spared) {
      const failed = await refusalOf(attempt)
      if (failed?.reason === 'Throttled') throttled ??= failed
    }
    throw throttled ?? unproven(error, presented.credential)
  }
}

async function refusalOf(attempt: () => Promise<unknown>): Promise<Refusal | undefined> {
  try {
    await attempt()
    return undefined
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
}

async function verdict(
  presented: Presented,
  enrollment: Enrollment,
  proof: Proof,
  provers: Provers,
  store: Reader,
): Promise<Verdict> {
  await refuseRevoked(presented, enrollment, proof, provers, store)
  // Disabled comes before the challenge, which would cost the device its hub key. [device-wire §11.5]
  if (enrollment.provisioningStatus === 'disabled') return { is: 'disabled', presented, enrollment }
  if ('challenge' in proof) return { is: 'challenged', presented, enrollment, issue: proof.challenge }
  const { credential: _, ...rest } = presented
  return { is: 'attested', attested: attestedOf(rest, enrollment, proof.evidence) }
}

type Shown = Omit<Presented, 'credential' | keyof Brand<string>>

function attestedOf(shown: Shown, enrollment: Enrollment, evidence: Evidence): Attested {
  return { ...shown, enrollment, evidence } as Attested
}
