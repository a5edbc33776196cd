import type { HeldCertificates } from '../attestation/attestation-kind.ts'
import type { AttestationMechanism, Enrollment } from '../model/enrollment.ts'
import { enrollmentId } from '../model/enrollment.ts'
import { registrationKey } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { EnrollingInstance } from './enrolling-instance.ts'
import type { EnrollmentKind } from './kind.ts'
import { memberRefusal } from '../model/members.ts'

/**
 * Refuse an enrollment that names a hub or a CA certificate which the instance does not have, or holds a certificate of
 * another enrollment. What `stored` already names may stay, so that a record can still be changed after a hub was
 * unlinked. [service-wire §3.3, §3.9]
 */
export async function checkReferences<E extends Enrollment>(
  kind: EnrollmentKind<E>,
  enrollment: Enrollment,
  stored: Enrollment | undefined,
  instance: EnrollingInstance,
): Promise<void> {
  await checkHubs(enrollment, stored, instance)
  await checkCaReferences(enrollment, stored, instance)
  if (!instance.rules.allowSharedCertificates) await checkCertificates(kind, enrollment, instance)
}

async function checkHubs(
  enrollment: Enrollment,
  stored: Enrollment | undefined,
  { store, idScope }: EnrollingInstance,
) {
  const named = hubsOf(enrollment)
  if (named.length === 0) return
  const linked = await store.linkedHubs.all(idScope)
  const known = new Set(
    [...linked.map(({ hostName }) => hostName), ...hubsOf(stored)].map((host) => host.toLowerCase()),
  )
  if (named.every((host) => known.has(host.toLowerCase()))) return
  throw memberRefusal(enrollment.iotHubs?.length ? 'iotHubs' : 'iotHubHostName', 'names a hub that is not linked')
}

function hubsOf(enrollment: Enrollment | undefined): string[] {
  const { iotHubs = [], iotHubHostName } = enrollment ?? {}
  return iotHubHostName === undefined ? [...iotHubs] : [...iotHubs, iotHubHostName]
}

async function checkCaReferences(
  { attestation }: Enrollment,
  stored: Enrollment | undefined,
  instance: EnrollingInstance,
): Promise<void> {
  const { store, idScope } = instance
  const kept = stored && certificatesOf(stored.attestation, instance).named.map(({ name }) => name.toLowerCase())
  for (const { member, name } of certificatesOf(attestation, instance).named) {
    if (kept?.includes(name.toLowerCase()) || (await store.caCertificates.get(idScope, name))) continue
    throw memberRefusal(`attestation.${member}`, 'names no uploaded certificate')
  }
}

async function checkCertificates<E extends Enrollment>(
  kind: EnrollmentKind<E>,
  enrollment: Enrollment,
  instance: EnrollingInstance,
): Promise<void> {
  const { store, idScope } = instance
  const own = registrationKey(enrollmentId(enrollment))
  for (const { info } of certificatesOf(enrollment.attestation, instance).held) {
    const holders = await kind.records(store).withCertificate(idScope, info.sha256Thumbprint)
    const other = holders.map(enrollmentId).find((id) => registrationKey(id) !== own)
    if (other !== undefined) throw new Refusal('CertificateInUse', `held by ${other}`)
  }
}

function certificatesOf(mechanism: AttestationMechanism, { kinds }: EnrollingInstance): HeldCertificates {
  return kinds[mechanism.type]?.enrollment.certificates?.(mechanism) ?? { held: [], named: [] }
}
