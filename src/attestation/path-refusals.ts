import type { X509Certificate } from 'node:crypto'
import type { CaCertificate } from '../model/ca-certificate.ts'
import { Refusal, type RefusalReason } from '../model/refusal.ts'
import { fieldsOf, isSelfIssued } from '../wire/x509/certificate-fields.ts'
import type { PathSearch } from '../wire/x509/find-path.ts'
import { shownName } from '../wire/x509/name.ts'
import type { Flaw, FlawKind } from '../wire/x509/path-rules.ts'

const reasons: Readonly<Record<FlawKind, RefusalReason>> = {
  malformed: 'CertificateMalformed',
  expired: 'CertificateExpired',
  'not-yet-valid': 'CertificateNotYetValid',
  'weak-key': 'CertificateKeyTooWeak',
  'weak-signature': 'CertificateSignatureTooWeak',
  'unknown-critical-extension': 'CertificateExtensionUnknown',
  'wrong-purpose': 'CertificatePurposeInvalid',
  'wrong-key-usage': 'CertificateKeyUsageInvalid',
  'issuer-not-ca': 'ChainIssuerNotCa',
  'device-is-ca': 'CertificateIsCa',
  'path-length': 'ChainPathLengthExceeded',
  'name-constraint': 'ChainNameForbidden',
  policy: 'ChainPolicyInvalid',
}

/** The refusal for what is wrong with a certificate or its path; `where` says how the certificate came to be looked at. */
export function refusalOfFlaw({ kind, found }: Flaw, where = ''): Refusal {
  return new Refusal(reasons[kind], found + where)
}

/** Names what a certificate is enrolled in; undefined for one that is not. */
export type Enrolled = (certificate: X509Certificate) => string | undefined

/** The refusal for a search that found no path: what was wrong, or which certificate, or whose consent, it lacks. */
export function refusalOfSearch(
  search: Exclude<PathSearch<unknown>, { readonly path: unknown }>,
  caCertificates: readonly CaCertificate[],
  enrolledIn: Enrolled,
): Refusal {
  if ('flaw' in search) {
    const enrolled = enrolledIn(search.flaw.certificate)
    return refusalOfFlaw(search.flaw, enrolled === undefined ? '' : `; it is enrolled in ${enrolled}`)
  }
  const { stuck, at } = search
  const { subject, issuer } = fieldsOf(at)
  const [name, issuerName] = [shownName(subject), shownName(issuer)]
  switch (stuck) {
    case 'issuer-unknown':
      return notAnchored(at, name, issuerName, caCertificates)
    case 'signature-invalid':
      return new Refusal('ChainSignatureInvalid', `${name} was not signed by the key of ${issuerName}`)
    case 'too-long':
      return new Refusal('ChainTooLong', `the chain above ${name} is too long`)
    case 'too-many-candidates':
      return new Refusal('ChainTooLong', `more certificates could be the issuer of ${name} than are tried`)
  }
}

/** Upper-case hex. */
export function thumbprint(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '')
}

function notAnchored(
  at: X509Certificate,
  name: string,
  issuerName: string,
  caCertificates: readonly CaCertificate[],
): Refusal {
  const der = at.raw.toString('base64')
  const uploaded = caCertificates.find((ca) => ca.der === der)
  if (uploaded?.isVerified === false) {
    const found = `the chain ends at the CA certificate ${uploaded.name}, whose possession was not proven`
    return new Refusal('CaCertificateNotVerified', found)
  }
  if (uploaded) {
    const found = `the chain ends at the CA certificate ${uploaded.name}, to which no enrollment of the device refers`
    return new Refusal('CaCertificateNotReferenced', found)
  }
  if (isSelfIssued(fieldsOf(at))) {
    return new Refusal('ChainRootUnknown', `${name} (SHA-256 ${thumbprint(at)}) signed itself and is not enrolled`)
  }
  const found = `${name} was issued by ${issuerName}, which was neither presented nor is it enrolled in a group`
  return new Refusal('ChainNotAnchored', found)
}
