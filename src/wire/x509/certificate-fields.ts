import type { X509Certificate } from 'node:crypto'
import { contentOf, DerMalformed, derTag, readDer, readSequence, readTime, type DerElement } from '../der.ts'
import { readKeyKind, readSignatureAlgorithm, type KeyKind, type SignatureAlgorithm } from './algorithms.ts'
import { readExtensions, type Extensions } from './extensions.ts'
import { readName, type Name } from './name.ts'

/** A certificate's content, all of it read from DER. Its signature has not been looked at. [RFC 5280 §4.1] */
export interface CertificateFields {
  readonly version: number
  /** The content of the INTEGER. */
  readonly serialNumber: Buffer
  readonly issuer: Name
  readonly subject: Name
  /** Milliseconds. */
  readonly notBefore: number
  readonly notAfter: number
  readonly signature: SignatureAlgorithm
  readonly key: KeyKind
  /** The content of the SubjectPublicKeyInfo: which key it is. */
  readonly keyInfo: Buffer
  readonly extensions: Extensions
}

const largest = 64 * 1024
const noExtensions: Extensions = { types: [], unknownCritical: [] }

/** Read a certificate. Throws DerMalformed and nothing else; the time it takes grows with the bytes alone. */
export function readCertificateFields(der: Buffer): CertificateFields {
  if (der.length > largest) throw new DerMalformed(`a certificate of more than ${largest} bytes`)
  const [tbs, algorithm, signature, ...more] = readSequence(der, 'the certificate')
  if (more.length > 0) throw new DerMalformed('the certificate has more than a signature')
  contentOf(signature, derTag.bitString, 'the signature')
  const fields = readDer(contentOf(tbs, derTag.sequence, 'what was signed'))
  const version = fields[0]?.tag === derTag.version ? readVersion(fields.shift()!) : 1
  const [serial, , issuer, validity, subject, key, ...rest] = fields
  const [notBefore, notAfter] = readDer(contentOf(validity, derTag.sequence, 'the validity'))
  const keyInfo = contentOf(key, derTag.sequence, 'the key')
  const extensions = rest.find(({ tag }) => tag === 0xa3)
  return {
    version,
    serialNumber: contentOf(serial, derTag.integer, 'the serial number'),
    issuer: readName(contentOf(issuer, derTag.sequence, "the issuer's name")),
    subject: readName(contentOf(subject, derTag.sequence, "the subject's name")),
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    signature: readSignatureAlgorithm(contentOf(algorithm, derTag.sequence, 'the signature algorithm')),
    key: readKeyKind(keyInfo),
    keyInfo,
    extensions: extensions ? readExtensions(extensions.content) : noExtensions,
  }
}

/** The fields of a certificate, read once for each. Throws DerMalformed. */
export function fieldsOf(certificate: X509Certificate): CertificateFields {
  let fields = read.get(certificate)
  if (!fields) read.set(certificate, (fields = readCertificateFields(certificate.raw)))
  return fields
}

/** Whether subject and issuer are the same: a CA that changes its key or policy. [RFC 5280 §3.2] */
export function isSelfIssued({ subject, issuer }: CertificateFields): boolean {
  return subject.key === issuer.key
}

const read = new WeakMap<X509Certificate, CertificateFields>()

function readVersion({ content }: DerElement): number {
  const [number] = readDer(content)
  return (contentOf(number, derTag.integer, 'the version')[0] ?? 0) + 1
}
