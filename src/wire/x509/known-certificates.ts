import { X509Certificate } from 'node:crypto'

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

/** True if it is known already that the issuer's key signed the subject; false if that was not looked at. */
export function isKnownToSign(issuer: X509Certificate, subject: X509Certificate): boolean {
  return verified.get(issuer)?.has(subject) === true
}

/** Whether the issuer's key signed the subject; looked at once for each two. Both must have been found strong enough before. */
export function signs(issuer: X509Certificate, subject: X509Certificate): boolean {
  if (isKnownToSign(issuer, subject)) return true
  if (!verifies(issuer, subject)) return false
  const known = verified.get(issuer)
  if (known) known.add(subject)
  else verified.set(issuer, new WeakSet([subject]))
  return true
}

/** Whether OpenSSL can make sense of the certificate's key. */
export function hasUsableKey(certificate: X509Certificate): boolean {
  try {
    return certificate.publicKey.type === 'public'
  } catch {
    return false
  }
}

function verifies(issuer: X509Certificate, subject: X509Certificate): boolean {
  try {
    return subject.verify(issuer.publicKey)
  } catch {
    // A key that OpenSSL cannot make sense of has signed nothing.
    return false
  }
}
