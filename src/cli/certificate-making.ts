import 'reflect-metadata' // @peculiar/x509 needs it before itself
import { randomBytes, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { readText } from './common-options.ts'

/** A CA that signs; PEM. */
export interface Issuer {
  readonly certificate: string
  readonly key: string
  /** Itself and what is above it, without the root. */
  readonly chain: string
}

export interface Making {
  readonly commonName: string
  readonly ca: boolean
  readonly days: number
  /** Absent: self-signed. */
  readonly issuer?: Issuer | undefined
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const day = 24 * 60 * 60 * 1000

/** Make a P-256 certificate and its key. `chain` is what a device sends: the certificate and its issuers without the root. */
export async function makeCertificate({ commonName, ca, days, issuer }: Making): Promise<Issuer> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const subject = new x509.Name([{ CN: [commonName] }]).toString()
  const above = issuer && new x509.X509Certificate(issuer.certificate)
  const made = await x509.X509CertificateGenerator.create(
    {
      serialNumber: `4${randomBytes(15).toString('hex')}0`,
      subject,
      issuer: above?.subject ?? subject,
      notBefore: new Date(Date.now() - day),
      notAfter: new Date(Date.now() + days * day),
      publicKey: keys.publicKey,
      signingKey: issuer ? await importKey(issuer.key) : keys.privateKey,
      signingAlgorithm: algorithm,
      extensions: ca ? caExtensions() : leafExtensions(),
    },
    webcrypto,
  )
  const certificate = `${made.toString('pem').trimEnd()}\n`
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  const key = `${x509.PemConverter.encode(der, 'PRIVATE KEY').trimEnd()}\n`
  return { certificate, key, chain: `${certificate}${issuer?.chain ?? ''}` }
}

/** The CA in `<name>.pem`, with its key in `<name>-key.pem` and, below a root, its chain in `<name>-chain.pem`. */
export function readIssuer(path: string): Issuer {
  const base = path.replace(/\.pem$/, '')
  const certificate = readText(path, '--issuer')
  const root = isSelfSigned(certificate)
  return {
    certificate,
    key: readText(`${base}-key.pem`, 'the key of --issuer'),
    chain: root ? '' : readText(`${base}-chain.pem`, 'the chain of --issuer'),
  }
}

function isSelfSigned(certificate: string): boolean {
  const { subject, issuer } = new x509.X509Certificate(certificate)
  return subject === issuer
}

/** P-256 keys, as this command makes them. */
function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), algorithm, false, ['sign'])
}

function caExtensions(): x509.Extension[] {
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
  ]
}

function leafExtensions(): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
  ]
}
