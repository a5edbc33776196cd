import type { X509Certificate } from 'node:crypto'
import { Refusal } from '../model/refusal.ts'
import { commonName } from '../wire/certificate-chain.ts'

/** `ignore` lets a fleet with stale certificates in while they are renewed. */
export type DatePolicy = 'enforce' | 'ignore'

const skew = 5 * 60 * 1000 // [device-wire §7.3]
const clientAuthentication = '1.3.6.1.5.5.7.3.2'
const anyPurpose = '2.5.29.37.0'
const curves: readonly (string | undefined)[] = ['prime256v1', 'secp384r1', 'secp521r1']
const fewestRsaBits = 2048

/** Refuse a device certificate by its own content: dates, purpose, key, signature algorithm. `now` in milliseconds. [device-wire §7.3] */
export function checkCertificate(certificate: X509Certificate, now: number, dates: DatePolicy): void {
  checkDates(certificate, now, dates)
  checkPurpose(certificate)
  checkStrength(certificate)
}

/** Refuse a certificate outside its dates, with five minutes' grace. */
export function checkDates(certificate: X509Certificate, now: number, dates: DatePolicy): void {
  if (dates === 'ignore') return
  const { validFromDate, validToDate } = certificate
  const name = commonName(certificate) ?? certificate.subject
  if (now > validToDate.getTime() + skew) {
    throw new Refusal('CertificateExpired', `${name} expired on ${validToDate.toISOString()}`)
  }
  if (now < validFromDate.getTime() - skew) {
    throw new Refusal('CertificateNotYetValid', `${name} is valid from ${validFromDate.toISOString()}`)
  }
}

function checkPurpose({ keyUsage: purposes }: X509Certificate): void {
  // What node:crypto calls keyUsage is the extended key usage; absent, any purpose goes.
  if (!purposes || purposes.includes(clientAuthentication) || purposes.includes(anyPurpose)) return
  throw new Refusal('CertificatePurposeInvalid', `client authentication is not among ${purposes.join(', ')}`)
}

function checkStrength({ publicKey, signatureAlgorithm }: X509Certificate): void {
  const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {}
  const strong =
    publicKey.asymmetricKeyType === 'rsa' ? (modulusLength ?? 0) >= fewestRsaBits : curves.includes(namedCurve)
  if (!strong) {
    const found = modulusLength ? `RSA of ${modulusLength} bits` : (namedCurve ?? publicKey.asymmetricKeyType)
    throw new Refusal(
      'CertificateKeyTooWeak',
      `expected RSA of ${fewestRsaBits} bits or more, or P-256, P-384, P-521; found ${found}`,
    )
  }
  if (/md\d|sha1\b/i.test(signatureAlgorithm ?? '')) {
    throw new Refusal('CertificateKeyTooWeak', `expected a SHA-2 signature, found ${signatureAlgorithm}`)
  }
}
