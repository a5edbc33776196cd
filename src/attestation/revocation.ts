import { createHash, type X509Certificate } from 'node:crypto'
import type { CaCertificate } from '../model/ca-certificate.ts'
import type { Enrollment } from '../model/enrollment.ts'
import { Refusal, type RefusalReason } from '../model/refusal.ts'
import { revocationKey, type RevokedSubject } from '../model/revocation.ts'
import type { Reader } from '../store/store.ts'
import { issuerAndSerial } from '../wire/certificate.ts'
import { certificateOf } from '../wire/certificate-chain.ts'
import type { Presented } from './attestation.ts'

/**
 * Refuse a device that has proven who it is but whose registration ID, endorsement key, certificate, or a certificate above
 * that, is on the instance's deny list. Asked after the proof, so that strangers learn nothing of the list. [service-wire §11]
 */
export async function refuseRevoked(presented: Presented, enrollment: Enrollment, store: Reader): Promise<void> {
  const { service, registrationId, credential } = presented
  if (await store.revocations.none(service.idScope)) return
  await refuseIf({ registrationId }, 'RegistrationRevoked', `the registration ID ${registrationId}`)
  if (enrollment.attestation.type === 'tpm') {
    const { endorsementKey } = enrollment.attestation
    await refuseIf({ endorsementKey }, 'EndorsementKeyRevoked', `the endorsement key of ${registrationId}`)
  }
  if (credential.kind === 'certificate') {
    const uploaded = await store.caCertificates.all(service.idScope)
    for (const certificate of withUploadedIssuers(credential.chain.map(certificateOf), uploaded)) {
      const what = `the certificate ${certificate.subject.replaceAll('\n', ', ')}`
      for (const subject of namesOf(certificate)) await refuseIf(subject, 'CertificateRevoked', what)
    }
  }

  async function refuseIf(subject: RevokedSubject, reason: RefusalReason, what: string): Promise<void> {
    const revocation = await store.revocations.get(service.idScope, revocationKey(subject))
    if (!revocation) return
    const { createdDateTimeUtc, source } = revocation
    throw new Refusal(reason, `${what} was revoked on ${createdDateTimeUtc} (${source}): ${revocation.reason}`)
  }
}

/** The name under which lists know an issuer: the SHA-256 of its DER name, upper-case hex. */
export function issuerDigest(derName: Buffer): string {
  return createHash('sha256').update(derName).digest('hex').toUpperCase()
}

function namesOf(certificate: X509Certificate): readonly RevokedSubject[] {
  const { issuer, serialNumber } = issuerAndSerial(certificate)
  return [
    { thumbprint: certificate.fingerprint256 },
    { thumbprint: certificate.fingerprint },
    { serialNumber, issuer: issuerDigest(issuer) },
    { serialNumber },
  ]
}

/** What was presented, and the uploaded certificates above it, which a device need not send. */
function withUploadedIssuers(
  presented: readonly X509Certificate[],
  uploaded: readonly CaCertificate[],
): readonly X509Certificate[] {
  const chain = [...presented]
  const known = uploaded.map(({ der }) => certificateOf(Buffer.from(der, 'base64')))
  // Grows while it is walked: the issuers of issuers are looked for as well.
  for (const certificate of chain) {
    chain.push(...known.filter((issuer) => certificate.checkIssued(issuer) && !chain.some((one) => same(one, issuer))))
  }
  return chain
}

function same(a: X509Certificate, b: X509Certificate): boolean {
  return a.fingerprint256 === b.fingerprint256
}
