import { X509Certificate } from 'node:crypto'

/** A certificate that a chain may end at, and whatever it stands for. */
export interface Anchor<T> {
  readonly certificate: X509Certificate
  readonly of: T
}

/** Where a climb from a leaf came to. */
export type Climb<T> =
  | {
      readonly reached: Anchor<T>
      /** From the leaf to the last certificate below the anchor. */
      readonly path: readonly X509Certificate[]
    }
  | {
      readonly stuck: 'issuer-unknown' | 'issuer-not-ca' | 'signature-invalid' | 'too-long'
      readonly at: X509Certificate
    }

const highestClimb = 8

/**
 * Climb from a leaf, issuer by issuer, to the nearest anchor: each step is a name match and a verified signature. Issuers
 * are looked for among the anchors first, then among the intermediates given (those the device presented, those the
 * service knows), in any order. Dates are the caller's business.
 */
export function climb<T>(
  leaf: X509Certificate,
  anchors: readonly Anchor<T>[],
  intermediates: readonly X509Certificate[],
): Climb<T> {
  const path = [leaf]
  for (let at = leaf; path.length <= highestClimb;) {
    const namesakes = anchors.filter(({ certificate }) => at.checkIssued(certificate))
    const reached = namesakes.find(({ certificate }) => signed(certificate, at))
    if (reached) return { reached, path }

    const issuers = intermediates.filter((certificate) => !path.includes(certificate) && at.checkIssued(certificate))
    if (issuers.length === 0) {
      // Whoever is no CA may not issue, so it was not taken for the issuer above; but it is the answer to why.
      const pretender = intermediates.find((certificate) => certificate.subject === at.issuer && !certificate.ca)
      if (pretender && !path.includes(pretender)) return { stuck: 'issuer-not-ca', at: pretender }
      return { stuck: namesakes.length > 0 ? 'signature-invalid' : 'issuer-unknown', at }
    }
    const issuer = issuers.find((certificate) => signed(certificate, at))
    if (!issuer) return { stuck: 'signature-invalid', at }
    if (!issuer.ca) return { stuck: 'issuer-not-ca', at: issuer }
    path.push(issuer)
    at = issuer
  }
  return { stuck: 'too-long', at: leaf }
}

/**
 * Certificates by their bytes, so that the issuers which a whole fleet presents are parsed once and their signatures checked
 * once. Only what was reached from an anchor is remembered: strangers cannot fill it.
 */
const remembered = new Map<string, X509Certificate>()
const parsed = new WeakMap<Buffer, X509Certificate>()
const verified = new WeakMap<X509Certificate, WeakSet<X509Certificate>>()
const mostRemembered = 500

/** The certificate in these DER bytes, parsed once for each buffer. Throws if it is none. */
export function certificateOf(der: Buffer): X509Certificate {
  let certificate = parsed.get(der)
  if (!certificate) {
    certificate = remembered.get(der.toString('latin1')) ?? new X509Certificate(der)
    parsed.set(der, certificate)
  }
  return certificate
}

/** The bytes of a certificate that somebody has parsed already, so that `certificateOf` need not do it again. */
export function bytesOf(certificate: X509Certificate): Buffer {
  const der = certificate.raw
  parsed.set(der, certificate)
  return der
}

/** Remember the issuers on a path that reached an anchor. */
export function rememberIssuers(issuers: readonly X509Certificate[]): void {
  for (const issuer of issuers) {
    const key = issuer.raw.toString('latin1')
    if (remembered.has(key)) continue
    if (remembered.size >= mostRemembered) remembered.clear()
    remembered.set(key, issuer)
  }
}

/** The subject's common name, or undefined. */
export function commonName(certificate: X509Certificate): string | undefined {
  return /^CN=(.+)$/m.exec(certificate.subject ?? '')?.[1]
}

function signed(issuer: X509Certificate, subject: X509Certificate): boolean {
  const known = verified.get(issuer)
  if (known?.has(subject)) return true
  if (!subject.verify(issuer.publicKey)) return false
  if (known) known.add(subject)
  else verified.set(issuer, new WeakSet([subject]))
  return true
}
