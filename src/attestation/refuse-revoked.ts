import type { X509Certificate } from 'node:crypto'
import type { Enrollment } from '../model/enrollment.ts'
import type { IdScope } from '../model/identifiers.ts'
import { Refusal, type RefusalReason } from '../model/refusal.ts'
import { revocationKey, type RevokedSubject } from '../model/revocation.ts'
import type { Reader } from '../store/store.ts'
import { fieldsOf } from '../wire/x509/certificate-fields.ts'
import { shownName } from '../wire/x509/name.ts'
import type { Provers } from './attestation-kind.ts'
import type { Presented, Proof } from './attestation.ts'
import { demandCoverage } from './list-coverage.ts'
import { listedRevocation, type Lists } from './listed.ts'
import { namesOf } from './revocation-names.ts'

/**
 * Refuse a device that has proven who it is but whose registration ID, endorsement key, certificate, or a certificate on the path
 * that was found above that, is on the instance's deny list or in one of its revocation lists; and one of which no current list
 * speaks, where that is asked. Looked at after the proof, so that strangers learn nothing of the lists. [service-wire §11]
 */
export async function refuseRevoked(
  { service, registrationId }: Presented,
  enrollment: Enrollment,
  proof: Proof,
  provers: Provers,
  store: Reader,
): Promise<void> {
  const { idScope } = service
  const path = 'path' in proof ? proof.path : undefined
  const isNothingRevoked = await store.revocations.none(idScope)
  if (isNothingRevoked && path?.listsRequiredAt === undefined) return
  await refuseIf({ registrationId }, 'RegistrationRevoked', `the registration ID ${registrationId}`)
  const { attestation } = enrollment
  for (const { subject, reason, what } of provers[attestation.type]?.deniable?.(attestation) ?? []) {
    await refuseIf(subject, reason, `${what} of ${registrationId}`)
  }
  if (!path) return
  const { certificates, above, known, listsRequiredAt } = path
  const all = await store.revocationLists.all(idScope)
  const lists: Lists = { idScope, store, all, path: [...certificates, ...above()], known }
  for (const certificate of isNothingRevoked ? [] : lists.path) {
    const revocation = await revocationOf(certificate, lists)
    if (!revocation) continue
    throw new Refusal('CertificateRevoked', `the certificate ${shownName(fieldsOf(certificate).subject)} ${revocation}`)
  }
  if (listsRequiredAt !== undefined) {
    await demandCoverage(certificates.slice(0, -1), lists, listsRequiredAt, revocationOf)
  }

  async function refuseIf(subject: RevokedSubject, reason: RefusalReason, what: string): Promise<void> {
    const revocation = await byHand(subject, idScope, store)
    if (revocation !== undefined) throw new Refusal(reason, `${what} ${revocation}`)
  }
}

/** How this certificate was revoked, in words; undefined if it was not. */
async function revocationOf(certificate: X509Certificate, lists: Lists): Promise<string | undefined> {
  for (const subject of namesOf(certificate).subjects) {
    const revocation = await byHand(subject, lists.idScope, lists.store)
    if (revocation !== undefined) return revocation
  }
  const listed = await listedRevocation(certificate, lists)
  return listed && `was revoked on ${listed.createdDateTimeUtc} (crl:${listed.list}): ${listed.reason}`
}

async function byHand(subject: RevokedSubject, idScope: IdScope, store: Reader): Promise<string | undefined> {
  const revocation = await store.revocations.get(idScope, revocationKey(subject))
  if (!revocation) return undefined
  const { createdDateTimeUtc, source, reason } = revocation
  return `was revoked on ${createdDateTimeUtc} (${source}): ${reason}`
}
