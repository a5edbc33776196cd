import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '../base/time.ts'
import { makeCertificate, type CertificateKeyKind } from '../wire/x509/make-certificate.ts'
import { ConfigurationError } from './configuration.ts'
import { type KeptKeyPair, type KeyPair, type KeyPairFiles, readKeyPair, writeKeyPair } from './key-pair.ts'

/** What the device ports serve with. */
export interface ServerCertificate {
  /** PEM. */
  readonly key: string
  /** PEM. */
  readonly certificate: string
  /** The same names with an RSA key, for clients that know no other; absent where the operator's own certificate has none. */
  readonly rsa?: KeyPair | undefined
  /** The file that clients trust it by. */
  readonly caFile: string
  /** What an operator should mend. */
  readonly warning?: string | undefined
}

const day = 24 * 60 * 60 * 1000
/** In days. */
const caLifetime = 3650
/** In days; browsers and some TLS stacks take no longer one. */
const serverLifetime = 397
const renewBefore = 30 * day

/**
 * The certificate for these names, signed by a CA of this data folder; both are made at the first start, and the server's anew when
 * it is about to expire or lacks a name. Devices keep trusting the same CA: one that is missing in part is never made anew. Without
 * its key, the server's certificate is served as long as it is valid, with a warning. P-256, because an RSA key costs more per
 * handshake than the rest of it. Throws ConfigurationError, with the files' names, where they cannot be used.
 */
export async function serverCertificate(
  folder: string,
  names: readonly string[],
  clock: Clock,
): Promise<ServerCertificate> {
  const caFiles = filesOf(folder, 'ca')
  const files = filesOf(folder, 'server')
  const server = readKeyPair(files, 'the server')
  const ca = await authority(caFiles, files, server, clock())
  const issuer: Issuer = { ...ca, files: caFiles }
  const { pair, lacks } = await currentPair('p256', files, server, issuer, names, clock())
  const warning = withoutKey(caFiles, ca)
  if (!pair) throw new ConfigurationError(`${warning}, which is needed now`)
  // For clients that know no elliptic keys; whoever offers both is served with the cheaper one.
  const rsaFiles = filesOf(folder, 'server-rsa')
  const rsaServer = readKeyPair(rsaFiles, 'the server (RSA)')
  return {
    ...pair,
    rsa: (await currentPair('rsa', rsaFiles, rsaServer, issuer, names, clock())).pair,
    caFile: caFiles.certificate,
    warning: lacks === undefined ? warning : `${warning}. It ${lacks} already`,
  }
}

interface Issuer {
  readonly certificate: string
  /** Undefined: nothing can be made anew. */
  readonly key: string | undefined
  readonly files: KeyPairFiles
}

/** The pair as it is if it serves, else made anew; without the CA's key, one that is still valid, and what it lacks. */
async function currentPair(
  kind: CertificateKeyKind,
  files: KeyPairFiles,
  { certificate, key }: KeptKeyPair,
  ca: Issuer,
  names: readonly string[],
  now: number,
): Promise<{ readonly pair?: KeyPair | undefined; readonly lacks?: string | undefined }> {
  if (certificate !== undefined) demandIssuer(certificate, ca.certificate, files, ca.files)
  if (certificate !== undefined && key !== undefined) {
    const lacks = lacking(certificate, names, now)
    if (lacks === undefined) return { pair: { certificate, key } }
    if (ca.key === undefined && isValid(certificate, now)) return { pair: { certificate, key }, lacks }
  }
  if (ca.key === undefined) return {}
  const pair = await makeCertificate({
    commonName: 'Hubward',
    use: { kind: 'server', names },
    now,
    days: serverLifetime,
    key: kind,
    issuer: { certificate: ca.certificate, key: ca.key },
  })
  writeKeyPair(files, pair)
  return { pair }
}

function filesOf(folder: string, name: string): KeyPairFiles {
  return { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}-key.pem`) }
}

/** The CA as it is; made if there never was one. */
async function authority(
  files: KeyPairFiles,
  serverFiles: KeyPairFiles,
  server: KeptKeyPair,
  now: number,
): Promise<{ readonly certificate: string; readonly key: string | undefined }> {
  const { certificate, key } = readKeyPair(files, 'the CA')
  if (certificate !== undefined) return { certificate, key }
  const trusted = `devices trust this certificate, so put it back from your backup`
  if (key !== undefined) {
    throw new ConfigurationError(
      `${files.certificate} is missing, though its key ${files.key} is there: ${trusted}; or delete ${files.key} to begin with a new CA, which every device has to be given`,
    )
  }
  if (server.certificate !== undefined) {
    throw new ConfigurationError(
      `${files.certificate} and ${files.key} are missing, though ${serverFiles.certificate} was issued by them: ${trusted}; or delete ${serverFiles.certificate} and ${serverFiles.key} to begin with a new CA, which every device has to be given`,
    )
  }
  const made = await makeCertificate({
    commonName: 'Hubward CA',
    use: { kind: 'ca', pathLength: 0 },
    now,
    days: caLifetime,
  })
  writeKeyPair(files, made)
  return made
}

function demandIssuer(certificate: string, ca: string, files: KeyPairFiles, caFiles: KeyPairFiles): void {
  if (new X509Certificate(certificate).verify(new X509Certificate(ca).publicKey)) return
  throw new ConfigurationError(
    `${files.certificate} was not issued by ${caFiles.certificate}: put back the one that was changed, or delete ${files.certificate} and ${files.key} to have them made anew; a certificate of your own is given with --tls-certificate and --tls-key`,
  )
}

function withoutKey({ key, certificate }: KeyPairFiles, ca: KeptKeyPair): string | undefined {
  if (ca.key !== undefined) return undefined
  return `${key} is missing: put it back from your backup. Without it the server's certificate cannot be made anew, and a new CA is not made in the place of ${certificate}, which devices trust`
}

/** Why the certificate is to be made anew; undefined if it serves. */
function lacking(pem: string, names: readonly string[], now: number): string | undefined {
  const certificate = new X509Certificate(pem)
  // One that begins later was made before the clock was set back.
  if (certificate.validFromDate.getTime() > now) return `begins at ${certificate.validFrom}`
  if (certificate.validToDate.getTime() <= now + renewBefore) return `ends at ${certificate.validTo}`
  const covers = (name: string) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined
  const missing = names.filter((name) => !covers(name))
  return missing.length > 0 ? `lacks ${missing.join(', ')}` : undefined
}

function isValid(pem: string, now: number): boolean {
  const { validFromDate, validToDate } = new X509Certificate(pem)
  return validFromDate.getTime() <= now && now < validToDate.getTime()
}
