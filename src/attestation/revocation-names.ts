import { createHash, type X509Certificate } from 'node:crypto'
import type { RevokedSubject } from '../model/revocation.ts'
import { issuerAndSerial } from '../wire/certificate.ts'
import { authorityDigest, normalName } from '../wire/normal-name.ts'
import { integerText } from '../wire/revocation-list/entry.ts'
import { fieldsOf } from '../wire/x509/certificate-fields.ts'
import { signs } from '../wire/x509/known-certificates.ts'

/** What a certificate may be revoked by. */
export interface CertificateNames {
  /** What operators name it by, and what lists put on the deny list before they were tied to their issuers' keys. */
  readonly subjects: readonly RevokedSubject[]
  /** As revocation lists are kept. */
  readonly serialNumber: string
}

/** Issuers are parsed once for a fleet, so what is worked out of them is kept as long as they are. */
const named = new WeakMap<X509Certificate, CertificateNames>()
const digests = new WeakMap<X509Certificate, string>()
const issued = new WeakMap<X509Certificate, WeakMap<X509Certificate, boolean>>()

/** The names of a certificate. Throws DerMalformed. */
export function namesOf(certificate: X509Certificate): CertificateNames {
  const known = named.get(certificate)
  if (known) return known
  const { issuer, serial } = issuerAndSerial(certificate)
  const serialNumber = serial.toString('hex').toUpperCase()
  const names: CertificateNames = {
    subjects: [
      { thumbprint: certificate.fingerprint256 },
      { thumbprint: certificate.fingerprint },
      { serialNumber, issuer: createHash('sha256').update(issuer).digest('hex') },
      { serialNumber },
    ],
    serialNumber: integerText(serial),
  }
  named.set(certificate, names)
  return names
}

/**
 * The digests of the authorities that issued this certificate, as far as the path has them: of whoever stands above it there, and
 * of others of the path that signed it too, such as cross-signed ones. The path is the leaf, its issuer and so on.
 */
export function issuersOf(certificate: X509Certificate, path: readonly X509Certificate[]): ReadonlySet<string> {
  const next = path[path.indexOf(certificate) + 1]
  const isLeaf = certificate === path[0] && path.length > 1
  // The leaf's issuer was verified to find the path; above it, the path may fork among certificates that are known.
  const issuers = isLeaf ? [next!] : path.filter((candidate) => hasIssued(candidate, certificate))
  return new Set(issuers.map(authorityDigestOf))
}

/** The digest of the authority that this is a certificate of. */
export function authorityDigestOf(certificate: X509Certificate): string {
  let digest = digests.get(certificate)
  if (digest === undefined) {
    digests.set(certificate, (digest = authorityDigest(normalName(fieldsOf(certificate).subject.content), certificate)))
  }
  return digest
}

function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  const known = issued.get(issuer) ?? new WeakMap<X509Certificate, boolean>()
  issued.set(issuer, known)
  let answer = known.get(certificate)
  if (answer === undefined) {
    answer = fieldsOf(certificate).issuer.key === fieldsOf(issuer).subject.key && signs(issuer, certificate)
    known.set(certificate, answer)
  }
  return answer
}
