import { X509Certificate } from 'node:crypto'
import { DerMalformed, derTag, readDer } from './der.ts'
import { distinguishedName } from './distinguished-name.ts'

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

/** The certificate in these DER bytes, or undefined if OpenSSL cannot read it. */
export function readCertificate(der: Buffer): CertificateRecord | undefined {
  // X509Certificate would take PEM too; the bytes of DER begin with a SEQUENCE.
  if (der[0] !== derTag.sequence) return undefined
  try {
    return certificateRecord(new X509Certificate(der))
  } catch {
    return undefined
  }
}

/** What is kept and shown of a certificate. Throws DerMalformed if its names are not DER. */
export function certificateRecord(certificate: X509Certificate): CertificateRecord {
  const { serial, version, issuer, subject } = readFields(certificate.raw)
  return {
    der: certificate.raw.toString('base64'),
    info: {
      subjectName: distinguishedName(subject),
      sha1Thumbprint: certificate.fingerprint.replaceAll(':', ''),
      sha256Thumbprint: certificate.fingerprint256.replaceAll(':', ''),
      issuerName: distinguishedName(issuer),
      notBeforeUtc: withoutFraction(certificate.validFromDate),
      notAfterUtc: withoutFraction(certificate.validToDate),
      serialNumber: serial.toString('hex').toUpperCase(),
      version,
    },
  }
}

/** The content of the issuer's DER name and that of the serial number, which together name a certificate. Throws DerMalformed. */
export function issuerAndSerial({ raw }: X509Certificate): { readonly issuer: Buffer; readonly serial: Buffer } {
  return readFields(raw)
}

/** node:crypto shows neither the version nor the names in their DER order, so they are read here. [RFC 5280 §4.1] */
function readFields(der: Buffer): { version: number; serial: Buffer; issuer: Buffer; subject: Buffer } {
  const [certificate] = readDer(der)
  const [tbs] = readDer(certificate!.content)
  const fields = readDer(tbs!.content)
  const explicit = fields[0]?.tag === derTag.version ? fields.shift() : undefined
  const [serial, , issuer, , subject] = fields
  if (!serial || !issuer || !subject) throw new DerMalformed('a certificate without its names')
  const version = explicit ? (readDer(explicit.content)[0]?.content[0] ?? 0) + 1 : 1
  return { version, serial: serial.content, issuer: issuer.content, subject: subject.content }
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
