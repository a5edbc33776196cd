import type { X509Certificate } from 'node:crypto'
import type { Trail } from '../model/decision.ts'
import type { EnrollmentGroup } from '../model/enrollment.ts'
import { registrationKey } from '../model/identifiers.ts'
import type { JsonObject } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Clock } from '../base/time.ts'
import type { Reader } from '../store/store.ts'
import { readCertificate } from '../wire/certificate.ts'
import { DerMalformed } from '../wire/der.ts'
import { shown } from '../base/printable.ts'
import { fieldsOf } from '../wire/x509/certificate-fields.ts'
import { findPath, isReadable, issuersAbove, type Anchor, type BySubject } from '../wire/x509/find-path.ts'
import { certificateOf, rememberIssuers } from '../wire/x509/known-certificates.ts'
import { commonName, type Name } from '../wire/x509/name.ts'
import { certificateFlaw, leafFlaw, type Leniency, type PathRules } from '../wire/x509/path-rules.ts'
import type { AttestationKind } from './attestation-kind.ts'
import type { Credential, Evidence, Proof } from './attestation.ts'
import { anchorsBySubject, anchorsOf, certificatesBySubject, knownTo, type Known } from './known-issuers.ts'
import { refusalOfFlaw, refusalOfSearch, thumbprint, type Enrolled } from './path-refusals.ts'
import { x509Enrollment, type X509Mechanism } from './x509-mechanism.ts'

/** What is asked of certificates beside RFC 5280. */
export interface CertificatePolicy {
  /** `ignore` lets a fleet with stale certificates in while they are renewed. */
  readonly dates: 'enforce' | 'ignore'
  readonly admits: ReadonlySet<Leniency>
  /** `required`: a current list has to speak of every certificate below the enrolled one. */
  readonly revocation: 'listed' | 'required'
}

/** More than this no device has reason to present. */
const longestChain = 10
const skew = 5 * 60 * 1000 // [device-wire §7.3]
const clientAuthentication = '1.3.6.1.5.5.7.3.2'

/** Client certificates: enrolled leaves, and leaves issued below an enrolled CA certificate. [device-wire §7] */
export function x509(
  store: Reader,
  clock: Clock,
  { dates, admits, revocation }: CertificatePolicy,
): AttestationKind<X509Mechanism> {
  const rules = (): PathRules => ({
    at: dates === 'enforce' ? clock() : undefined,
    skew,
    purpose: clientAuthentication,
    admits,
  })
  const proofOf = (path: readonly X509Certificate[], presented: readonly X509Certificate[], known: Known): Proven => ({
    evidence: evidence(path[0]!, presented),
    path: {
      certificates: path,
      above: () => issuersAbove(path, [certificatesBySubject(presented), known.all]),
      known: known.all,
      listsRequiredAt: revocation === 'required' ? clock() : undefined,
    },
  })
  return {
    type: 'x509',
    reads: (credential) => credential.kind === 'certificate',
    check: (presented) => void presentedChain(presented),
    decoy: { type: 'x509', of: 'clientCertificates' },

    individual: async (presented, mechanism) => {
      const [leaf, ...intermediates] = presentedChain(presented)
      const known = await knownTo(store, presented)
      if (mechanism.of !== 'clientCertificates') {
        const anchors = anchorsOf(mechanism, known.caCertificates, undefined)
        const name = () => `the individual enrollment ${presented.registrationId}`
        const search = { anchors: anchorsBySubject(anchors), known, name }
        const { path } = ascend([leaf, ...intermediates], search, rules(), presented.trail)
        return proofOf(path, intermediates, known)
      }
      refuseFlawed(leaf, rules(), presented.trail, [certificateFlaw])
      const presentedLeaf = leaf.raw.toString('base64')
      if ([mechanism.primary?.der, mechanism.secondary?.der].includes(presentedLeaf)) {
        return proofOf([leaf], intermediates, known)
      }
      const enrolled = [mechanism.primary, mechanism.secondary].flatMap((slot) => slot?.info.sha256Thumbprint ?? [])
      throw new Refusal(
        'CertificateNotEnrolled',
        `presented ${thumbprint(leaf)}; the individual enrollment holds ${enrolled.join(' and ') || 'none'}`,
      )
    },

    group: async (presented) => {
      const chain = presentedChain(presented)
      const known = await knownTo(store, presented)
      const name = ({ enrollmentGroupId }: EnrollmentGroup) => `the group ${enrollmentGroupId}`
      const search = { anchors: known.groups, known, name }
      const { anchor, path } = ascend(chain, search, rules(), presented.trail)
      const proof = proofOf(path, chain.slice(1), known)
      const signingCertificate = base64Of(anchor.certificate)
      return { ...proof, group: anchor.of, evidence: { ...proof.evidence, signingCertificate } }
    },

    context: ({ certificate, chain, signingCertificate }) => ({
      certificateInfo: infoOf(certificate),
      signingCertificateInfo: infoOf(signingCertificate),
      certificate,
      // The name by which functions written for the real service read it. [service-wire §9.3]
      clientCertificate: certificate,
      chain: Array.isArray(chain) ? [certificate, ...chain] : undefined,
    }),

    knownCredentials: (mechanism) =>
      mechanism.of === 'clientCertificates'
        ? [mechanism.primary, mechanism.secondary].flatMap((slot) =>
            slot ? [{ type: 'selfSigned', primaryThumbprint: slot.info.sha256Thumbprint }] : [],
          )
        : [],

    hubCredential: (_, { sha256Thumbprint }) => ({ type: 'selfSigned', primaryThumbprint: String(sha256Thumbprint) }),

    enrollment: x509Enrollment,
    onConnect: (credential, registrationId) => {
      if (credential.kind !== 'certificate') return
      if (registrationId === undefined) namedChain(credential)
      else presentedChain({ credential, registrationId })
    },
    // Always an object, and without certificate details, for Java. [device-wire §11.19]
    state: ({ enrollmentGroupId }) => ({ enrollmentGroupId }),
  }
}

/**
 * What the device presented, leaf first; its leaf must be named like the registration. [device-wire §7.2]
 */
function presentedChain({
  credential,
  registrationId,
}: {
  readonly credential: Credential
  readonly registrationId: string
}): readonly [X509Certificate, ...X509Certificate[]] {
  const { chain, name } = namedChain(credential)
  if (registrationKey(name) !== registrationKey(registrationId)) {
    throw new Refusal(
      'CertificateCommonNameMismatch',
      `the certificate is for ${shown(name)}; the device registers as ${shown(registrationId)}`,
    )
  }
  return chain
}

/** What was presented, leaf first, and the name of its leaf: the device's own, whatever it goes on to ask for. */
function namedChain(credential: Credential): {
  readonly chain: readonly [X509Certificate, ...X509Certificate[]]
  readonly name: string
} {
  if (credential.kind !== 'certificate' || !credential.chain[0]) {
    throw new Refusal('CertificateMissing', 'no certificate was presented in the TLS handshake')
  }
  if (credential.chain.length > longestChain) {
    throw new Refusal(
      'ChainTooLong',
      `${credential.chain.length} certificates were presented; at most ${longestChain} are read`,
    )
  }
  const [leaf, ...issuers] = credential.chain.map(parse)
  const name = commonName(subjectOf(leaf!))
  if (name === undefined)
    throw new Refusal('CertificateCommonNameMissing', 'the presented certificate has no common name')
  return { chain: [leaf!, ...issuers], name }
}

function parse(der: Buffer): X509Certificate {
  try {
    return certificateOf(der)
  } catch {
    throw new Refusal('CertificateMalformed', 'a presented certificate cannot be read')
  }
}

function subjectOf(leaf: X509Certificate): Name {
  try {
    return fieldsOf(leaf).subject
  } catch (error) {
    if (!(error instanceof DerMalformed)) throw error
    throw new Refusal('CertificateMalformed', `the presented certificate cannot be read: ${error.message}`)
  }
}

/** Where a path may end, what may stand between, and how an enrollment is called. */
interface Anchors<T> {
  readonly anchors: BySubject<Anchor<T>>
  readonly known: Known
  readonly name: (of: T) => string
}

interface Ascent<T> {
  readonly anchor: Anchor<T>
  /** From the leaf to the anchor. */
  readonly path: readonly X509Certificate[]
}

/** The path from the presented leaf to one of the anchors. Notes down what was let through on the way. */
function ascend<T>(
  [leaf, ...presented]: readonly [X509Certificate, ...X509Certificate[]],
  { anchors, known, name }: Anchors<T>,
  rules: PathRules,
  trail: Trail,
): Ascent<T> {
  refuseFlawed(leaf, rules, trail, [certificateFlaw, leafFlaw])
  const enrolledIn = (certificate: X509Certificate) => enrollmentOf(certificate, anchors, name)
  refuseEnrolledCa(leaf, enrolledIn)
  const search = findPath(leaf, anchors, presented, known.uploaded, rules)
  if (!('path' in search)) throw refusalOfSearch(search, known.caCertificates, enrolledIn)
  const { anchor, path, warnings } = search
  for (const found of warnings) trail.note({ step: 'warning', found })
  rememberIssuers(path.slice(1))
  return { anchor, path: [...path, anchor.certificate] }
}

function refuseFlawed(
  leaf: X509Certificate,
  rules: PathRules,
  trail: Trail,
  looks: readonly (typeof certificateFlaw)[],
): void {
  for (const look of looks) {
    const flaw = look(leaf, rules, (found) => trail.note({ step: 'warning', found }))
    if (flaw) throw refusalOfFlaw(flaw)
  }
}

/** A CA certificate of the old kind, which does not say that it is one, is no device's either. */
function refuseEnrolledCa(leaf: X509Certificate, enrolledIn: Enrolled): void {
  const enrolled = enrolledIn(leaf)
  if (enrolled === undefined) return
  throw new Refusal(
    'CertificateIsCa',
    `the presented certificate is itself the one that ${enrolled} has enrolled as a CA`,
  )
}

/** The enrollment that has this very certificate as a CA's, in the operator's words. */
function enrollmentOf<T>(
  certificate: X509Certificate,
  anchors: BySubject<Anchor<T>>,
  name: (of: T) => string,
): string | undefined {
  if (!isReadable(certificate)) return undefined
  const namesakes = anchors.get(fieldsOf(certificate).subject.key) ?? []
  const found = namesakes.find((anchor) => anchor.certificate.raw.equals(certificate.raw))
  return found && name(found.of)
}

type Proven = Extract<Proof, { readonly evidence: Evidence }>

/** Base64 of DER. */
function evidence(leaf: X509Certificate, presented: readonly X509Certificate[]): Evidence {
  return {
    sha256Thumbprint: thumbprint(leaf),
    certificate: base64Of(leaf),
    chain: presented.map(base64Of),
  }
}

function infoOf(der: Evidence[string]): JsonObject | undefined {
  const record = typeof der === 'string' ? readCertificate(Buffer.from(der, 'base64')) : undefined
  return record && { ...record.info }
}

function base64Of({ raw }: X509Certificate): string {
  return raw.toString('base64')
}
