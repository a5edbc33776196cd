import { X509Certificate } from 'node:crypto'
import { heldCertificates } from '../../attestation/x509-mechanism.ts'
import type { IdScope } from '../../model/identifiers.ts'
import { Refusal } from '../../model/refusal.ts'
import type { Reader } from '../../store/store.ts'
import { authorityDigest, normalName } from '../../wire/normal-name.ts'
import type { ParsedRevocationList } from '../../wire/revocation-list.ts'
import { fieldsOf } from '../../wire/x509/certificate-fields.ts'
import { isReadable } from '../../wire/x509/find-path.ts'
import { hasUsableKey, signs } from '../../wire/x509/known-certificates.ts'

/** Milliseconds that a certificate is taken before and after its dates. [device-wire §7.3] */
const skew = 5 * 60 * 1000
const fewestRsaBits = 2048
const curves: readonly (string | undefined)[] = ['prime256v1', 'secp384r1', 'secp521r1']

/**
 * Digests of the authorities whose certificates the list is about: first that of its signer, then those of the same name whose keys
 * are the same authority's: a self-issued certificate ties them to the signer's, or the signer's key is for lists only and one issuer
 * certified both. Two CAs of one name and one issuer are two: each issues, and revokes, its own. Refuses a list that no CA certificate of its issuer's own name signed, among those that are uploaded or held by a group, or one that may not sign
 * lists. `now` in milliseconds. [RFC 5280 §6.3.3]
 */
export async function authoritiesOf(
  list: ParsedRevocationList,
  idScope: IdScope,
  store: Reader,
  now: number,
): Promise<readonly string[]> {
  const name = normalName(list.issuerName)
  const known = await knownCertificates(idScope, store)
  const namesakes = known.filter((certificate) => normalName(fieldsOf(certificate).subject.content) === name)
  const signer = signerAmong(namesakes, list, now)
  const above = isForListsOnly(signer) ? known.filter((issuer) => hasIssued(issuer, signer)) : []
  const linked = namesakes.filter(
    (other) => hasIssued(signer, other) || hasIssued(other, signer) || above.some((issuer) => hasIssued(issuer, other)),
  )
  return [...new Set([signer, ...linked].map((one) => authorityDigest(name, one)))]
}

async function knownCertificates(idScope: IdScope, store: Reader): Promise<readonly X509Certificate[]> {
  const [uploaded, groups] = await Promise.all([
    store.caCertificates.all(idScope),
    store.enrollmentGroups.withAttestation(idScope, 'x509'),
  ])
  const held = groups.flatMap(({ attestation }) => heldCertificates(attestation))
  const known = new Set([...uploaded, ...held].map(({ der }) => der))
  // One that cannot be read, or whose key cannot, has signed nothing.
  return [...known]
    .map((der) => new X509Certificate(Buffer.from(der, 'base64')))
    .filter((certificate) => isReadable(certificate) && hasUsableKey(certificate))
}

function signerAmong(namesakes: readonly X509Certificate[], list: ParsedRevocationList, now: number): X509Certificate {
  const { issuer, authorityKeyIdentifier: named } = list
  if (namesakes.length === 0) {
    throw refusal(
      `the list is of ${issuer}; no CA certificate of that name is uploaded or held by a group; upload its issuer first`,
    )
  }
  const meant = namesakes.filter((certificate) => {
    const own = fieldsOf(certificate).extensions.subjectKeyIdentifier
    return named === undefined || own === undefined || own.equals(named)
  })
  if (meant.length === 0) {
    throw refusal(
      `the list of ${issuer} names the key ${named?.toString('hex').toUpperCase()}; the certificates of its issuer here have others`,
    )
  }
  const signers = meant.filter((certificate) => list.signedBy(certificate))
  if (signers.length === 0) {
    throw refusal(
      `the list of ${issuer} was signed by no CA certificate of that name that is uploaded or held by a group`,
    )
  }
  const complaints = signers.map((signer) => complaintOf(signer, now))
  const fit = signers[complaints.indexOf(undefined)]
  if (fit) return fit
  throw refusal(`the list of ${issuer} was signed by a certificate that ${complaints[0]}`)
}

/** Why this certificate's key may not sign lists; undefined if it may. */
function complaintOf(certificate: X509Certificate, now: number): string | undefined {
  const { basicConstraints, keyUsage } = fieldsOf(certificate).extensions
  const { validFromDate, validToDate, publicKey } = certificate
  const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {}
  // A certificate without constraints, as old tools make them, is taken as it is for an anchor; one that is for lists need be no CA.
  if (basicConstraints?.ca === false && !keyUsage?.cRLSign) return 'is no CA: its basic constraints say so'
  if (keyUsage?.cRLSign === false) return 'may not sign lists: its key usage does not name cRLSign'
  if (validToDate.getTime() + skew < now) return `expired on ${validToDate.toISOString()}`
  if (validFromDate.getTime() - skew > now) return `is valid from ${validFromDate.toISOString()}`
  if (publicKey.asymmetricKeyType === 'rsa' && (modulusLength ?? 0) < fewestRsaBits)
    return `has a key that is too weak: RSA of ${modulusLength} bits`
  if (publicKey.asymmetricKeyType === 'ec' && !curves.includes(namedCurve))
    return `has a key that is too weak: ${namedCurve}`
  return undefined
}

/** Whether the key of this certificate signs lists and no certificates, so that its lists are about those of another key. */
function isForListsOnly(certificate: X509Certificate): boolean {
  const { keyUsage } = fieldsOf(certificate).extensions
  return keyUsage !== undefined && !keyUsage.keyCertSign
}

/** Whether the certificate names this issuer, and its key signed it: of one name, the authority gave itself another key. */
function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return fieldsOf(certificate).issuer.key === fieldsOf(issuer).subject.key && signs(issuer, certificate)
}

function refusal(detail: string): Refusal {
  return new Refusal('RevocationListInvalid', detail)
}
