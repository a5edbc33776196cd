import { X509Certificate } from 'node:crypto'
import type { IdScope } from '../../model/identifiers.ts'
import { Refusal } from '../../model/refusal.ts'
import type { Reader } from '../../store/store.ts'
import { issuerAndSerial } from '../../wire/certificate.ts'
import { authorityDigest, normalName } from '../../wire/normal-name.ts'
import type { ParsedRevocationList } from '../../wire/revocation-list.ts'
import { listSigner, type ListSigner } from '../../wire/revocation-list/signer.ts'

/** Milliseconds that a certificate is taken before and after its dates. [device-wire §7.3] */
const skew = 5 * 60 * 1000
const fewestRsaBits = 2048
const curves: readonly (string | undefined)[] = ['prime256v1', 'secp384r1', 'secp521r1']

interface Candidate extends ListSigner {
  readonly certificate: X509Certificate
  /** Normal. */
  readonly name: string
}

/**
 * Digests of the authorities whose certificates the list is about: first that of its signer, then those of the same name whose keys are
 * the same authority's: a self-issued certificate ties them to the signer's, or one issuer certified both. Refuses a list that no CA certificate of its issuer's own name signed, among
 * those that are uploaded or held by a group, or one that may not sign lists. `now` in milliseconds. [RFC 5280 §6.3.3]
 */
export async function authoritiesOf(
  list: ParsedRevocationList,
  idScope: IdScope,
  store: Reader,
  now: number,
): Promise<readonly string[]> {
  const name = normalName(list.issuerName)
  const known = await knownCertificates(idScope, store)
  const namesakes = known.flatMap((certificate): Candidate[] => {
    const signer = listSigner(certificate)
    return normalName(signer.subjectName) === name ? [{ ...signer, name, certificate }] : []
  })
  const { certificate } = signerAmong(namesakes, list, now)
  const linked = namesakes.filter(
    (other) =>
      isLinked(other.certificate, certificate, name) ||
      isLinked(certificate, other.certificate, name) ||
      known.some((issuer) => signs(issuer, certificate) && signs(issuer, other.certificate)),
  )
  return [...new Set([certificate, ...linked.map((one) => one.certificate)].map((one) => authorityDigest(name, one)))]
}

async function knownCertificates(idScope: IdScope, store: Reader): Promise<readonly X509Certificate[]> {
  const [uploaded, groups] = await Promise.all([
    store.caCertificates.all(idScope),
    store.enrollmentGroups.withAttestation(idScope, 'x509'),
  ])
  const held = groups.flatMap(({ attestation }) =>
    attestation.type === 'x509' && attestation.of !== 'caReferences'
      ? [attestation.primary, attestation.secondary]
      : [],
  )
  const known = new Set([...uploaded, ...held].flatMap((one) => one?.der ?? []))
  return [...known].map((der) => new X509Certificate(Buffer.from(der, 'base64')))
}

function signerAmong(namesakes: readonly Candidate[], list: ParsedRevocationList, now: number): Candidate {
  const { issuer, authorityKeyIdentifier: named } = list
  if (namesakes.length === 0) {
    throw refusal(
      `the list is of ${issuer}; no CA certificate of that name is uploaded or held by a group; upload its issuer first`,
    )
  }
  const meant = namesakes.filter(
    ({ subjectKeyIdentifier: own }) => named === undefined || own === undefined || own.equals(named),
  )
  if (meant.length === 0) {
    throw refusal(
      `the list of ${issuer} names the key ${named?.toString('hex').toUpperCase()}; the certificates of its issuer here have others`,
    )
  }
  const signers = meant.filter(({ certificate }) => list.signedBy(certificate))
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
function complaintOf({ certificate, isCa, mayNotSignLists }: Candidate, now: number): string | undefined {
  const { validFromDate, validToDate, publicKey } = certificate
  const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {}
  // A certificate without constraints, as old tools make them, is taken as it is for an anchor.
  if (isCa === false) return 'is no CA: its basic constraints say so'
  if (mayNotSignLists) return 'may not sign lists: its key usage does not name cRLSign'
  if (validToDate.getTime() + skew < now) return `expired on ${validToDate.toISOString()}`
  if (validFromDate.getTime() - skew > now) return `is valid from ${validFromDate.toISOString()}`
  if (publicKey.asymmetricKeyType === 'rsa' && (modulusLength ?? 0) < fewestRsaBits)
    return `has a key that is too weak: RSA of ${modulusLength} bits`
  if (publicKey.asymmetricKeyType === 'ec' && !curves.includes(namedCurve))
    return `has a key that is too weak: ${namedCurve}`
  return undefined
}

/** Whether the authority with the issuer's key gave itself the key of this certificate: a self-issued certificate says so. */
function isLinked(certificate: X509Certificate, issuer: X509Certificate, name: string): boolean {
  if (certificate === issuer || normalName(issuerAndSerial(certificate).issuer) !== name) return false
  return certificate.verify(issuer.publicKey)
}

/** A certificate that names the issuer, and that its key signed. */
function signs(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

function refusal(detail: string): Refusal {
  return new Refusal('RevocationListInvalid', detail)
}
