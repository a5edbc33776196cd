import { X509Certificate } from 'node:crypto'
import { derTag } from './der.ts'
import { distinguishedName } from './distinguished-name.ts'
import { fieldsOf } from './x509/certificate-fields.ts'

/** A certificate as it is kept: DER in base64, and what clients are shown of it. */
export interface CertificateRecord {
  readonly der: string
  readonly info: {
    /** .NET format, most specific part first. */
    readonly subjectName: string
    /** Upper-case hex. */
    readonly sha1Thumbprint: string
    /** Upper-case hex. */
    readonly sha256Thumbprint: string
    readonly issuerName: string
    /** `2031-02-03T04:05:06Z`, without a fraction. */
    readonly notBeforeUtc: string
    readonly notAfterUtc: string
    /** Upper-case hex of the DER integer. */
    readonly serialNumber: string
    readonly version: number
  }
}

const longestText = 64 * 1024
const pem =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END (?:X509 |TRUSTED )?CERTIFICATE-----/
const base64 = /^[A-Za-z0-9+/]+={0,2}$/

/**
 * The certificate in this text, or undefined: PEM (its first certificate; also with escaped line ends), base64 of DER, or
 * base64 of PEM, which the C and Node SDKs send. [service-wire §3.3]
 */
export function readCertificateText(text: string): CertificateRecord | undefined {
  if (text.length > longestText) return undefined
  const bytes = bytesOfPem(text) ?? bytesOfBase64(text)
  if (!bytes) return undefined
  return readCertificate(bytesOfPem(bytes.toString('latin1')) ?? bytes)
}

/** The certificate in these DER bytes, or undefined if they are none that OpenSSL and the parser here can read. */
export function readCertificate(der: Buffer): CertificateRecord | undefined {
  // X509Certificate would take PEM too; the bytes of DER begin with a SEQUENCE.
  if (der[0] !== derTag.sequence) return undefined
  try {
    return certificateRecord(new X509Certificate(der))
  } catch {
    return undefined
  }
}

/** What is kept and shown of a certificate. Throws DerMalformed if its content is not DER. */
export function certificateRecord(certificate: X509Certificate): CertificateRecord {
  const { serialNumber, version, issuer, subject } = fieldsOf(certificate)
  return {
    der: certificate.raw.toString('base64'),
    info: {
      subjectName: distinguishedName(subject.content),
      sha1Thumbprint: certificate.fingerprint.replaceAll(':', ''),
      sha256Thumbprint: certificate.fingerprint256.replaceAll(':', ''),
      issuerName: distinguishedName(issuer.content),
      notBeforeUtc: withoutFraction(certificate.validFromDate),
      notAfterUtc: withoutFraction(certificate.validToDate),
      serialNumber: serialNumber.toString('hex').toUpperCase(),
      version,
    },
  }
}

/** The content of the issuer's DER name and that of the serial number, which together name a certificate. Throws DerMalformed. */
export function issuerAndSerial(certificate: X509Certificate): { readonly issuer: Buffer; readonly serial: Buffer } {
  const { issuer, serialNumber } = fieldsOf(certificate)
  return { issuer: issuer.content, serial: serialNumber }
}

function bytesOfPem(text: string): Buffer | undefined {
  const body = pem.exec(text.includes('\\n') ? text.replaceAll('\\r', '').replaceAll('\\n', '\n') : text)?.[1]
  return body === undefined ? undefined : Buffer.from(body, 'base64')
}

function bytesOfBase64(text: string): Buffer | undefined {
  const packed = text.replaceAll(/\s/g, '')
  return base64.test(packed) ? Buffer.from(packed, 'base64') : undefined
}

function withoutFraction(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z')
}
