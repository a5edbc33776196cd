import type { X509Certificate } from 'node:crypto'
import { DerMalformed } from '../der.ts'
import { fieldsOf, type CertificateFields } from './certificate-fields.ts'
import { isKnownToSign, signs } from './known-certificates.ts'
import { issuerFlaw, pathPolicyFlaw, type Flaw, type PathRules } from './path-rules.ts'

/** A certificate that a path may end at, and whatever it stands for. */
export interface Anchor<T> {
  readonly certificate: X509Certificate
  readonly of: T
}

/** What stands ready to be an issuer, by the key of its subject's name. */
export type BySubject<T> = ReadonlyMap<string, readonly T[]>

/** Where a search from a leaf came to. */
export type PathSearch<T> =
  | {
      readonly anchor: Anchor<T>
      /** From the leaf to the last certificate below the anchor. */
      readonly path: readonly X509Certificate[]
      /** What was let through that is not as it should be. */
      readonly warnings: readonly string[]
    }
  /** An issuer was found, and what is wrong with it, or with the path below it, was the first thing wrong. */
  | { readonly flaw: Flaw }
  /** `at` is the highest certificate that was reached. */
  | {
      readonly stuck: 'issuer-unknown' | 'signature-invalid' | 'too-long' | 'too-many-candidates'
      readonly at: X509Certificate
    }

/** How many certificates may stand above one another, the anchor aside. */
const longestPath = 8
/** A path of honest certificates needs one signature for each step; a stranger may offer many of the same name. */
const mostSignatures = 64
const mostVisited = 256

/**
 * Find the shortest valid path from a leaf to an anchor. Issuers are looked for among the anchors first, then among the
 * intermediates (those the device presented, those the service knows), in any order, also where several have one name. What
 * costs little is looked at before the signature. The leaf itself is the caller's business.
 */
export function findPath<T>(
  leaf: X509Certificate,
  anchors: BySubject<Anchor<T>>,
  presented: readonly X509Certificate[],
  known: BySubject<X509Certificate>,
  rules: PathRules,
): PathSearch<T> {
  let signatures = 0
  let visited = 0
  let flaw: Flaw | undefined
  let highest: PathSearch<T> = { stuck: 'issuer-unknown', at: leaf }
  const offered = bySubject(presented.filter(isReadable), (certificate) => certificate)

  let paths: readonly Step[] = [{ path: [leaf], warnings: [] }]
  for (let height = 0; height <= longestPath && paths.length > 0; height++) {
    for (const below of paths) {
      for (const anchor of candidates(anchors, below, ({ certificate }) => certificate)) {
        if (isOn(below, anchor.certificate)) continue
        const step = above(below, anchor.certificate, 'anchor')
        if (step === 'spent') return { stuck: 'too-many-candidates', at: below.path.at(-1)! }
        if (!step) continue
        const wrong = pathPolicyFlaw(below.path, anchor.certificate, rules)
        if (!wrong) return { anchor, path: below.path, warnings: step.warnings }
        flaw ??= wrong
      }
    }
    const next: Step[] = []
    for (const below of paths) {
      const issuers = [...candidates(offered, below, itself), ...candidates(known, below, itself)]
      for (const issuer of issuers) {
        if (isOn(below, issuer)) continue
        const step = above(below, issuer, 'intermediate')
        if (step === 'spent') return { stuck: 'too-many-candidates', at: below.path.at(-1)! }
        if (step) next.push(step)
      }
    }
    if (next[0]) highest = { stuck: height === longestPath ? 'too-long' : 'issuer-unknown', at: next[0].path.at(-1)! }
    paths = next
  }
  return flaw ? { flaw } : highest

  /** The path with this issuer above it; undefined if the issuer is not valid there, or did not sign. */
  function above(below: Step, issuer: X509Certificate, role: 'intermediate' | 'anchor'): Step | 'spent' | undefined {
    const at = below.path.at(-1)!
    if (++visited > mostVisited) return 'spent'
    const warnings = [...below.warnings]
    const wrong = issuerFlaw(issuer, below.path, role, rules, (warning) => warnings.push(warning))
    if (wrong) {
      flaw ??= wrong
      return undefined
    }
    if (!isKnownToSign(issuer, at) && ++signatures > mostSignatures) return 'spent'
    if (!signs(issuer, at)) {
      if ('stuck' in highest && highest.at === at) highest = { stuck: 'signature-invalid', at }
      return undefined
    }
    return { path: [...below.path, issuer], warnings }
  }
}

/** The certificates by the keys of their subjects. They must be readable. */
export function bySubject<T>(all: readonly T[], certificateOf: (one: T) => X509Certificate): BySubject<T> {
  const index = new Map<string, T[]>()
  for (const one of all) {
    const { key } = fieldsOf(certificateOf(one)).subject
    const namesakes = index.get(key)
    if (namesakes) namesakes.push(one)
    else index.set(key, [one])
  }
  return index
}

/**
 * The issuers above a path among those known, as far up as their names and signatures lead: all of them, where several have
 * one name and key. Nothing else of them is looked at.
 */
export function issuersAbove(
  path: readonly X509Certificate[],
  known: readonly BySubject<X509Certificate>[],
): readonly X509Certificate[] {
  const found = path.slice(-1)
  // Grows while it is walked: the issuers of issuers are looked for as well.
  for (const at of found) {
    for (const index of known) {
      for (const issuer of index.get(fieldsOf(at).issuer.key) ?? []) {
        if (found.length > mostSignatures) return found.slice(1)
        const isNew = !found.some((one) => one.raw.equals(issuer.raw))
        if (isNew && signs(issuer, at)) found.push(issuer)
      }
    }
  }
  return found.slice(1)
}

/** Whether a certificate's content can be read. */
export function isReadable(certificate: X509Certificate): boolean {
  try {
    fieldsOf(certificate)
    return true
  } catch (error) {
    if (error instanceof DerMalformed) return false
    throw error
  }
}

interface Step {
  readonly path: readonly X509Certificate[]
  readonly warnings: readonly string[]
}

function itself(certificate: X509Certificate): X509Certificate {
  return certificate
}

/** Whoever has the issuer's name, those with the right key identifier first. */
function candidates<T>(index: BySubject<T>, { path }: Step, certificateOf: (one: T) => X509Certificate): readonly T[] {
  const at = fieldsOf(path.at(-1)!)
  const namesakes = index.get(at.issuer.key) ?? []
  if (namesakes.length < 2) return namesakes
  const unlikeliness = (one: T) => keyIdentifierDiffers(at, fieldsOf(certificateOf(one)))
  return namesakes.toSorted((a, b) => unlikeliness(a) - unlikeliness(b))
}

/** 0 for the same, 1 where one is silent, 2 for another. It is a hint and no more. [RFC 4158 §3.5.12] */
function keyIdentifierDiffers(subject: CertificateFields, issuer: CertificateFields): number {
  const { authorityKeyIdentifier: wanted } = subject.extensions
  const { subjectKeyIdentifier: has } = issuer.extensions
  return !wanted || !has ? 1 : wanted.equals(has) ? 0 : 2
}

/** Whether the path has a certificate of the same name and key: twice, they lead nowhere. [RFC 4158 §5.2] */
function isOn({ path }: Step, certificate: X509Certificate): boolean {
  const { subject, keyInfo } = fieldsOf(certificate)
  return path.map(fieldsOf).some((one) => one.subject.key === subject.key && one.keyInfo.equals(keyInfo))
}
