import { X509Certificate } from 'node:crypto'
import { makeCertificate, type MadeCertificate } from '../wire/x509/make-certificate.ts'
import { readText } from './common-options.ts'

/** A certificate, its key, and what is sent with it; PEM. */
export interface CertificateWithChain extends MadeCertificate {
  /** Itself and what is above it, without the root. */
  readonly chain: string
}

export interface Making {
  readonly commonName: string
  readonly ca: boolean
  readonly days: number
  /** Absent: self-signed. */
  readonly issuer?: CertificateWithChain | undefined
}

/** Make a P-256 certificate and its key, for a CA or for a device. */
export async function makeWithChain({ commonName, ca, days, issuer }: Making): Promise<CertificateWithChain> {
  const use = { kind: ca ? 'ca' : 'device' } as const
  const made = await makeCertificate({ commonName, use, now: Date.now(), days, issuer })
  return { ...made, chain: `${made.certificate}${issuer?.chain ?? ''}` }
}

/** The CA in `<name>.pem`, with its key in `<name>-key.pem` and, below a root, its chain in `<name>-chain.pem`. */
export function readIssuer(path: string): CertificateWithChain {
  const base = path.replace(/\.pem$/, '')
  const certificate = readText(path, '--issuer')
  const { subject, issuer } = new X509Certificate(certificate)
  return {
    certificate,
    key: readText(`${base}-key.pem`, 'the key of --issuer'),
    chain: subject === issuer ? '' : readText(`${base}-chain.pem`, 'the chain of --issuer'),
  }
}
