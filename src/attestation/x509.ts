import type { X509Certificate } from 'node:crypto'
import type { CaCertificate } from '../model/ca-certificate.ts'
import type { EnrollmentGroup, X509Mechanism } from '../model/enrollment.ts'
import { registrationKey } from '../model/identifiers.ts'
import type { JsonObject } from '../model/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Clock } from '../model/timestamp.ts'
import type { Reader } from '../store/store.ts'
import { readCertificate } from '../wire/certificate.ts'
import {
  certificateOf,
  climb,
  commonName,
  rememberIssuers,
  type Anchor,
  type Climb,
} from '../wire/certificate-chain.ts'
import type { AttestationKind, Evidence, Presented } from './attestation.ts'
import { checkCertificate, checkDates, type DatePolicy } from './certificate-checks.ts'

/** More than this no device has reason to present. */
const longestChain = 10

/** Client certificates: enrolled leaves, and leaves issued below an enrolled CA certificate. [device-wire §7] */
export function x509(store: Reader, clock: Clock, dates: DatePolicy): AttestationKind<X509Mechanism> {
  return {
    type: 'x509',
    reads: (credential) => credential.kind === 'certificate',

    individual: async (presented, mechanism) => {
      const [leaf, ...intermediates] = presentedChain(presented)
      checkCertificate(leaf, clock(), dates)
      if (mechanism.of === 'clientCertificates') {
        const presentedLeaf = leaf.raw.toString('base64')
        if ([mechanism.primary?.der, mechanism.secondary?.der].includes(presentedLeaf))
          return { evidence: evidence(leaf, intermediates) }
        const enrolled = [mechanism.primary, mechanism.secondary].flatMap((slot) => slot?.info.sha256Thumbprint ?? [])
        throw new Refusal(
          'CertificateNotEnrolled',
          `presented ${thumbprint(leaf)}; the individual enrollment holds ${enrolled.join(' and ') || 'none'}`,
        )
      }
      const { caCertificates } = await known(store, presented)
      const anchors = anchorsOf(mechanism, caCertificates, undefined)
      const found = climb(leaf, anchors, [...intermediates, ...caCertificates.map(toCertificate)])
      finish(found, clock, dates, caCertificates)
      return { evidence: evidence(leaf, intermediates) }
    },

    group: async (presented) => {
      const [leaf, ...intermediates] = presentedChain(presented)
      checkCertificate(leaf, clock(), dates)
      const { anchors, caCertificates } = await known(store, presented)
      const { of: group, certificate: anchor } = finish(
        climb(leaf, anchors, [...intermediates, ...caCertificates.map(toCertificate)]),
        clock,
        dates,
        caCertificates,
      )
      return { group, evidence: evidence(leaf, intermediates, anchor) }
    },

    context: ({ certificate, chain, signingCertificate }) => ({
      certificateInfo: infoOf(certificate),
      signingCertificateInfo: infoOf(signingCertificate),
      certificate,
      chain: Array.isArray(chain) ? [certificate, ...chain] : undefined,
    }),

    knownCredentials: (mechanism) =>
      mechanism.of === 'clientCertificates'
        ? [mechanism.primary, mechanism.secondary].flatMap((slot) =>
            slot ? [{ type: 'selfSigned', primaryThumbprint: slot.info.sha256Thumbprint }] : [],
          )
        : [],

    hubCredential: (_, { sha256Thumbprint }) => ({ type: 'selfSigned', primaryThumbprint: String(sha256Thumbprint) }),
  }
}

/**
 * What the device presented, leaf first; its leaf must be named like the registration. [device-wire §7.2]
 */
export function presentedChain({
  credential,
  registrationId,
}: Pick<Presented, 'credential' | 'registrationId'>): readonly [X509Certificate, ...X509Certificate[]] {
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
  const name = commonName(leaf!)
  if (name === undefined)
    throw new Refusal('CertificateCommonNameMissing', 'the presented certificate has no common name')
  if (registrationKey(name) !== registrationKey(registrationId)) {
    throw new Refusal(
      'CertificateCommonNameMismatch',
      `the certificate is for ${name}; the device registers as ${registrationId}`,
    )
  }
  return [leaf!, ...issuers]
}

function parse(der: Buffer): X509Certificate {
  try {
    return certificateOf(der)
  } catch {
    throw new Refusal('CertificateMalformed', 'a presented certificate cannot be read')
  }
}

interface Known {
  readonly anchors: readonly Anchor<EnrollmentGroup>[]
  readonly caCertificates: readonly CaCertificate[]
}

/** Worked out once for each list of groups that the store remembers. */
const worked = new WeakMap<readonly EnrollmentGroup[], Known>()

async function known(store: Reader, { service }: Presented): Promise<Known> {
  const [groups, caCertificates] = await Promise.all([
    store.enrollmentGroups.withAttestation(service.idScope, 'x509'),
    store.caCertificates.all(service.idScope),
  ])
  const before = worked.get(groups)
  if (before?.caCertificates === caCertificates) return before
  const anchors = groups.flatMap((group) =>
    group.attestation.type === 'x509' ? anchorsOf(group.attestation, caCertificates, group) : [],
  )
  const result = { anchors, caCertificates }
  worked.set(groups, result)
  return result
}

/** A CA certificate that is referred to counts only once its possession was proven. [service-wire §8.5] */
function anchorsOf<T>(mechanism: X509Mechanism, caCertificates: readonly CaCertificate[], of: T): Anchor<T>[] {
  const slots =
    mechanism.of === 'caReferences'
      ? [mechanism.primary, mechanism.secondary].flatMap((name) =>
          caCertificates.filter((ca) => ca.isVerified && ca.name.toLowerCase() === name?.toLowerCase()),
        )
      : [mechanism.primary, mechanism.secondary]
  return slots.flatMap((slot) => (slot ? [{ certificate: toCertificate(slot), of }] : []))
}

/** Parsed certificates of stored records live as long as the records. */
const certificates = new WeakMap<{ readonly der: string }, X509Certificate>()

function toCertificate(record: { readonly der: string }): X509Certificate {
  let certificate = certificates.get(record)
  if (!certificate) certificates.set(record, (certificate = certificateOf(Buffer.from(record.der, 'base64'))))
  return certificate
}

function finish<T>(
  result: Climb<T>,
  clock: Clock,
  dates: DatePolicy,
  caCertificates: readonly CaCertificate[],
): Anchor<T> {
  if ('reached' in result) {
    const [, ...issuers] = result.path
    for (const issuer of issuers) checkDates(issuer, clock(), dates)
    checkDates(result.reached.certificate, clock(), dates)
    rememberIssuers(issuers)
    return result.reached
  }
  const name = commonName(result.at) ?? result.at.subject
  const issuer = result.at.issuer.replaceAll('\n', ', ')
  switch (result.stuck) {
    case 'issuer-unknown':
      throw notAnchored(result.at, name, issuer, caCertificates)
    case 'issuer-not-ca':
      throw new Refusal('ChainIssuerNotCa', `${name} issued the certificate below it but is not a CA`)
    case 'signature-invalid':
      throw new Refusal('ChainSignatureInvalid', `${name} was not signed by the key of ${issuer}`)
    case 'too-long':
      throw new Refusal('ChainTooLong', `the chain above ${name} is too long`)
  }
}

/** The chain ends too early: which certificate, or whose consent, it lacks. */
function notAnchored(
  at: X509Certificate,
  name: string,
  issuer: string,
  caCertificates: readonly CaCertificate[],
): Refusal {
  const uploaded = caCertificates.find((ca) => toCertificate(ca).raw.equals(at.raw))
  if (uploaded?.isVerified === false) {
    const found = `the chain ends at the CA certificate ${uploaded.name}, whose possession was not proven`
    return new Refusal('CaCertificateNotVerified', found)
  }
  if (uploaded) {
    const found = `the chain ends at the CA certificate ${uploaded.name}, to which no enrollment of the device refers`
    return new Refusal('CaCertificateNotReferenced', found)
  }
  if (at.checkIssued(at)) {
    return new Refusal('ChainRootUnknown', `${name} (SHA-256 ${thumbprint(at)}) signed itself and is not enrolled`)
  }
  const found = `${name} was issued by ${issuer}, which was neither presented nor is it enrolled in a group`
  return new Refusal('ChainNotAnchored', found)
}

/** Base64 of DER; `signingCertificate` is the enrolled one that vouches for the leaf. */
function evidence(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  anchor?: X509Certificate,
): Evidence {
  return {
    sha256Thumbprint: thumbprint(leaf),
    certificate: leaf.raw.toString('base64'),
    chain: intermediates.map(({ raw }) => raw.toString('base64')),
    signingCertificate: anchor?.raw.toString('base64'),
  }
}

function infoOf(der: Evidence[string]): JsonObject | undefined {
  const record = typeof der === 'string' ? readCertificate(Buffer.from(der, 'base64')) : undefined
  return record && { ...record.info }
}

function thumbprint(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '')
}
