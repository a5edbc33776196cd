import 'reflect-metadata' // @peculiar/x509 needs it before itself
import { generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'
import type { Clock } from '../base/time.ts'
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

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
const day = 24 * 60 * 60 * 1000
const caLifetime = 3650 * day
/** Browsers and some TLS stacks take no longer one. */
const serverLifetime = 397 * day
const renewBefore = 30 * day

x509.cryptoProvider.set(webcrypto as typeof globalThis.crypto)

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
  const { pair, lacks } = await currentPair(algorithm, files, server, issuer, names, clock())
  const warning = withoutKey(caFiles, ca)
  if (!pair) throw new ConfigurationError(`${warning}, which is needed now`)
  // For clients that know no elliptic keys; whoever offers both is served with the cheaper one.
  const rsaFiles = filesOf(folder, 'server-rsa')
  const rsaServer = readKeyPair(rsaFiles, 'the server (RSA)')
  return {
    ...pair,
    rsa: (await currentPair(rsa, rsaFiles, rsaServer, issuer, names, clock())).pair,
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
  of: KeyAlgorithm,
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
  const pair = await makeServer({ certificate: ca.certificate, key: ca.key }, names, now, of)
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
  const made = await makeCa(now)
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

async function makeCa(now: number): Promise<KeyPair> {
  const { keys, pem } = await keyPair()
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Hubward CA',
    serialNumber: serialNumber(),
    notBefore: new Date(now - day),
    notAfter: new Date(now + caLifetime),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate: ca.toString('pem') + '\n', key: pem }
}

async function makeServer(issuer: KeyPair, names: readonly string[], now: number, of: KeyAlgorithm): Promise<KeyPair> {
  const ca = new x509.X509Certificate(issuer.certificate)
  const signingKey = await importKey(issuer.key)
  const { keys, pem } = await keyPair(of)
  const usage = x509.KeyUsageFlags.digitalSignature | (of === rsa ? x509.KeyUsageFlags.keyEncipherment : 0)
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=Hubward`,
    issuer: ca.subject,
    serialNumber: serialNumber(),
    notBefore: new Date(now - day),
    notAfter: new Date(now + serverLifetime),
    signingAlgorithm: algorithm,
    signingKey,
    publicKey: keys.publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(usage, true),
      new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1']),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }))),
      await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey),
    ],
  })
  return { certificate: certificate.toString('pem') + '\n', key: pem }
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

type KeyAlgorithm = typeof algorithm | typeof rsa

async function keyPair(of: KeyAlgorithm = algorithm): Promise<{ keys: webcrypto.CryptoKeyPair; pem: string }> {
  const { privateKey, publicKey } =
    of === rsa
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return {
    keys: {
      privateKey: await importKey(pem, of),
      publicKey: await webcrypto.subtle.importKey('spki', spki, of, true, ['verify']),
    },
    pem,
  }
}

function importKey(pem: string, of: KeyAlgorithm = algorithm): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), of, false, ['sign'])
}

/** Positive, and unlike any before. */
function serialNumber(): string {
  return '4' + Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex') + '0'
}
