import type { X509Certificate } from 'node:crypto'
import type { Enrollment } from '../model/enrollment.ts'
import { Refusal, type RefusalReason } from '../model/refusal.ts'
import { revocationKey, type RevokedSubject } from '../model/revocation.ts'
import type { Reader } from '../store/store.ts'
import { fieldsOf } from '../wire/x509/certificate-fields.ts'
import { shownName } from '../wire/x509/name.ts'
import type { Provers } from './attestation-kind.ts'
import type { Presented, Proof } from './attestation.ts'
import { issuersOf, namesOf } from './revocation-names.ts'

/**
 * Refuse a device that has proven who it is but whose registration ID, endorsement key, certificate, or a certificate on the path
 * that was found above that, is on the instance's deny list or in one of its revocation lists. Asked after the proof, so that
 * strangers learn nothing of the lists. [service-wire §11]
 */
export async function refuseRevoked(
  { service, registrationId }: Presented,
  enrollment: Enrollment,
  proof: Proof,
  provers: Provers,
  store: Reader,
): Promise<void> {
  const { idScope } = service
  if (await store.revocations.none(idScope)) return
  await refuseIf({ registrationId }, 'RegistrationRevoked', `the registration ID ${registrationId}`)
  const { attestation } = enrollment
  for (const { subject, reason, what } of provers[attestation.type]?.deniable?.(attestation) ?? []) {
    await refuseIf(subject, reason, `${what} of ${registrationId}`)
  }
  const path = ('path' in proof && proof.path) || []
  for (const certificate of path) {
    const what = `the certificate ${shownName(fieldsOf(certificate).subject)}`
    const { subjects, serialNumber } = namesOf(certificate)
    for (const subject of subjects) await refuseIf(subject, 'CertificateRevoked', what)
    for (const authority of issuersOf(certificate, path))
      await refuseIfListed(certificate, authority, serialNumber, what)
  }

  async function refuseIf(subject: RevokedSubject, reason: RefusalReason, what: string): Promise<void> {
    const revocation = await store.revocations.get(idScope, revocationKey(subject))
    if (!revocation) return
    const { createdDateTimeUtc, source } = revocation
    throw new Refusal(reason, `${what} was revoked on ${createdDateTimeUtc} (${source}): ${revocation.reason}`)
  }

  async function refuseIfListed(
    certificate: X509Certificate,
    authority: string,
    serialNumber: string,
    what: string,
  ): Promise<void> {
    const kind = fieldsOf(certificate).extensions.basicConstraints?.ca ? 'ca' : 'user'
    const listed = await store.listedRevocations.under(idScope, authority, serialNumber)
    // A list says nothing of what it is not about. [RFC 5280 §6.3.3 (b)]
    const counted = listed.find(({ certificates }) => certificates === 'all' || certificates === kind)
    if (!counted) return
    const { createdDateTimeUtc, list, reason } = counted
    throw new Refusal('CertificateRevoked', `${what} was revoked on ${createdDateTimeUtc} (crl:${list}): ${reason}`)
  }
}
