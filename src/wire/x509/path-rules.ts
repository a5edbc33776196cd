import type { X509Certificate } from 'node:crypto'
import { DerMalformed } from '../der.ts'
import { fieldsOf, isSelfIssued, type CertificateFields } from './certificate-fields.ts'
import { forbiddenName } from './name-constraints.ts'
import { shownName } from './name.ts'
import { hasPolicyRules, policyFlaw, type PolicyDemands } from './policies.ts'

/** What old fleets may need and RFC 5280, or today's strength, does not admit; by the names that operators use. */
export const leniencies = [
  'sha1-signatures',
  'rsa-1024',
  'ca-as-device',
  'issuer-purposes',
  'unknown-critical-extensions',
] as const
export type Leniency = (typeof leniencies)[number]

/** What a path is held against. */
export interface PathRules {
  /** Milliseconds; undefined: dates are not looked at. */
  readonly at: number | undefined
  /** Milliseconds by which clocks may differ. */
  readonly skew: number
  /** The dotted extended key usage that the leaf is for. */
  readonly purpose: string
  readonly admits: ReadonlySet<Leniency>
  /** None unless said. */
  readonly policies?: PolicyDemands
}

/** Why a certificate, or the path that it is on, is not valid. */
export type FlawKind =
  | 'malformed'
  | 'expired'
  | 'not-yet-valid'
  | 'weak-key'
  | 'weak-signature'
  | 'unknown-critical-extension'
  | 'wrong-purpose'
  | 'wrong-key-usage'
  | 'issuer-not-ca'
  | 'device-is-ca'
  | 'path-length'
  | 'name-constraint'
  | 'policy'

export interface Flaw {
  readonly kind: FlawKind
  readonly certificate: X509Certificate
  /** What was expected and what was found, with the certificate's name. */
  readonly found: string
}

/** Told what was let through that is not as it should be. */
export type Warn = (warning: string) => void

const anyPurpose = '2.5.29.37.0'
const strongHashes: readonly (string | undefined)[] = ['sha256', 'sha384', 'sha512']
const strongCurves = ['P-256', 'P-384', 'P-521']
const fewestRsaBits = 2048
const fewestLenientRsaBits = 1024
/** Beyond these a signature costs more to check than a stranger's should. */
const mostRsaBits = 8192
const largestRsaExponent = 2 ** 32

/** What says nothing of what a certificate is for: the key identifiers, and a comment of OpenSSL's. */
const silentExtensions = ['2.5.29.14', '2.5.29.35', '2.16.840.1.113730.1.13']

/** What is wrong with the certificate itself, whoever issued it: dates, purpose, key, signature algorithm. */
export function certificateFlaw(certificate: X509Certificate, rules: PathRules, warn: Warn): Flaw | undefined {
  return reading(certificate, (fields) =>
    firstOf(
      () => dateFlaw(fields, rules),
      () => purposeFlaw(fields, rules),
      () => strengthFlaw(fields, rules, warn),
    ),
  )
}

/** What is wrong with a certificate at the lower end of a path, beside `certificateFlaw`. */
export function leafFlaw(certificate: X509Certificate, rules: PathRules, warn: Warn): Flaw | undefined {
  return reading(certificate, (fields) =>
    firstOf(
      () => extensionFlaw(fields, rules, warn),
      () => {
        const { basicConstraints, keyUsage } = fields.extensions
        if (basicConstraints?.ca) {
          if (lets('ca-as-device', 'it is the certificate of a CA', rules, warn)) return undefined
          return ['device-is-ca', 'is the certificate of a CA, which issues device certificates and is none']
        }
        if (keyUsage && !keyUsage.digitalSignature && !keyUsage.keyAgreement) {
          return ['wrong-key-usage', 'has a key usage without digitalSignature, which TLS needs']
        }
        return undefined
      },
    ),
  )
}

/** What is wrong with a certificate as the issuer of the path below it, which is leaf first. The signature is not looked at. */
export function issuerFlaw(
  certificate: X509Certificate,
  below: readonly X509Certificate[],
  role: 'intermediate' | 'anchor',
  rules: PathRules,
  warn: Warn,
): Flaw | undefined {
  return reading(certificate, (fields) =>
    firstOf(
      () => authorityFlaw(fields, role, warn),
      () => dateFlaw(fields, rules),
      () => strengthFlaw(fields, rules, warn),
      () => extensionFlaw(fields, rules, warn),
      () => {
        const purpose = purposeFlaw(fields, rules)
        return purpose && lets('issuer-purposes', purpose[1], rules, warn) ? undefined : purpose
      },
      () => lengthFlaw(fields, below),
      () => nameFlaw(fields, below),
    ),
  )
}

/** What is wrong with the policies of a whole path, which is leaf first. */
export function pathPolicyFlaw(
  path: readonly X509Certificate[],
  anchor: X509Certificate,
  { policies }: PathRules,
): Flaw | undefined {
  const all = path.map(fieldsOf)
  if (!policies && ![...all, fieldsOf(anchor)].some(hasPolicyRules)) return undefined
  return reading(path[0]!, () => {
    const found = policyFlaw(all.toReversed(), fieldsOf(anchor), policies)
    return found === undefined ? undefined : ['policy', `is on a path of which ${found}`]
  })
}

/**
 * Whether these fields say that a certificate may issue others: `bare` where they say nothing at all of what it is for, as old
 * tools leave it; else why not.
 */
export function authorityOf({ extensions }: CertificateFields): 'ca' | 'bare' | { readonly not: string } {
  const { basicConstraints, keyUsage, types } = extensions
  if (basicConstraints?.ca === false) return { not: 'its basic constraints do not say CA' }
  if (keyUsage && !keyUsage.keyCertSign) return { not: 'its key usage has no keyCertSign' }
  if (basicConstraints) return 'ca'
  if (keyUsage || types.every((type) => silentExtensions.includes(type))) return 'bare'
  return { not: 'it has no basic constraints' }
}

type Found = readonly [kind: FlawKind, found: string] | undefined

function reading(certificate: X509Certificate, look: (fields: CertificateFields) => Found): Flaw | undefined {
  try {
    const fields = fieldsOf(certificate)
    const found = look(fields)
    return found && { kind: found[0], certificate, found: `${shownName(fields.subject)} ${found[1]}` }
  } catch (error) {
    if (!(error instanceof DerMalformed)) throw error
    return { kind: 'malformed', certificate, found: `a certificate cannot be read: ${error.message}` }
  }
}

function firstOf(...looks: readonly (() => Found)[]): Found {
  for (const look of looks) {
    const found = look()
    if (found) return found
  }
  return undefined
}

function dateFlaw({ notBefore, notAfter }: CertificateFields, { at, skew }: PathRules): Found {
  if (at === undefined) return undefined
  if (at > notAfter + skew) return ['expired', `expired on ${new Date(notAfter).toISOString()}`]
  if (at < notBefore - skew) return ['not-yet-valid', `is valid from ${new Date(notBefore).toISOString()}`]
  return undefined
}

/** Absent, the extended key usage is for any purpose; a CA's restricts those below it, as TLS libraries have it. */
function purposeFlaw({ extensions: { extendedKeyUsage } }: CertificateFields, { purpose }: PathRules): Found {
  if (!extendedKeyUsage || extendedKeyUsage.includes(purpose) || extendedKeyUsage.includes(anyPurpose)) return undefined
  const among = extendedKeyUsage.slice(0, 8).join(', ')
  return ['wrong-purpose', `has extended key usages, and client authentication is not among ${among}`]
}

function strengthFlaw({ key, signature }: CertificateFields, rules: PathRules, warn: Warn): Found {
  const found = key.type === 'rsa' ? `RSA of ${key.bits} bits` : key.type === 'ec' ? `the curve ${key.curve}` : key.name
  if (key.type === 'rsa' && (key.exponent < 3 || key.exponent % 2 === 0 || key.exponent > largestRsaExponent)) {
    return ['weak-key', `has an RSA key with an exponent that is not odd, or not from 3 to 2^32`]
  }
  const isStrong =
    key.type === 'rsa'
      ? key.bits >= fewestRsaBits && key.bits <= mostRsaBits
      : key.type === 'ec' && strongCurves.includes(key.curve)
  const isLenient = key.type === 'rsa' && key.bits >= fewestLenientRsaBits && key.bits < fewestRsaBits
  if (!isStrong && !(isLenient && lets('rsa-1024', `its key is ${found}`, rules, warn))) {
    const expected = `expected RSA of ${fewestRsaBits} bits or more, or P-256, P-384, P-521`
    return ['weak-key', `has a key that is not taken: ${expected}; found ${found}`]
  }
  const { name, hash } = signature
  if (strongHashes.includes(hash)) return undefined
  if (hash === 'sha1' && lets('sha1-signatures', `it was signed with ${name}`, rules, warn)) return undefined
  return ['weak-signature', `was signed with ${name}; expected RSA or ECDSA with SHA-256, SHA-384 or SHA-512`]
}

function extensionFlaw({ extensions: { unknownCritical } }: CertificateFields, rules: PathRules, warn: Warn): Found {
  if (unknownCritical.length === 0) return undefined
  const among = unknownCritical.slice(0, 8).join(', ')
  if (lets('unknown-critical-extensions', `it has the critical extensions ${among}`, rules, warn)) return undefined
  return ['unknown-critical-extension', `has the critical extension ${among}, which is not known here`]
}

function authorityFlaw(fields: CertificateFields, role: 'intermediate' | 'anchor', warn: Warn): Found {
  const authority = authorityOf(fields)
  if (authority === 'ca') return undefined
  if (authority === 'bare' && role === 'anchor') {
    warn(`${shownName(fields.subject)} has no basic constraints that say CA; it counts because it was enrolled`)
    return undefined
  }
  const not = authority === 'bare' ? 'it has no basic constraints' : authority.not
  return fields.extensions.basicConstraints?.ca
    ? ['wrong-key-usage', `is a CA that issued the certificate below it but may not: ${not}`]
    : ['issuer-not-ca', `issued the certificate below it but is not a CA: ${not}`]
}

/** [RFC 5280 §4.2.1.9] */
function lengthFlaw({ extensions: { basicConstraints } }: CertificateFields, below: readonly X509Certificate[]): Found {
  const most = basicConstraints?.pathLength
  if (most === undefined) return undefined
  const between = below.slice(1).filter((one) => !isSelfIssued(fieldsOf(one))).length
  if (between <= most) return undefined
  return ['path-length', `allows ${most} CAs below it by its path length; there are ${between}`]
}

/** [RFC 5280 §6.1.3 (b), (c)] */
function nameFlaw({ extensions: { nameConstraints } }: CertificateFields, below: readonly X509Certificate[]): Found {
  if (!nameConstraints) return undefined
  for (const [height, certificate] of below.entries()) {
    const fields = fieldsOf(certificate)
    if (height > 0 && isSelfIssued(fields)) continue
    const forbidden = forbiddenName(nameConstraints, fields)
    if (forbidden) {
      return ['name-constraint', `has name constraints that forbid ${shownName(fields.subject)} below it: ${forbidden}`]
    }
  }
  return undefined
}

function lets(leniency: Leniency, found: string, { admits }: PathRules, warn: Warn): boolean {
  if (!admits.has(leniency)) return false
  warn(`let through by ${leniency}: ${found}`)
  return true
}
