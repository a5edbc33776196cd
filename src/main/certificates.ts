import 'reflect-metadata' // @peculiar/x509 needs it before itself
import { generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'
import type { Clock } from '../model/timestamp.ts'

/** What the device ports serve with. */
export interface ServerCertificate {
  /** PEM. */
  readonly key: string
  /** PEM. */
  readonly certificate: string
  /** The file that clients trust it by. */
  readonly caFile: string
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const day = 24 * 60 * 60 * 1000
const caLifetime = 3650 * day
/** Browsers and some TLS stacks take no longer one. */
const serverLifetime = 397 * day
const renewBefore = 30 * day

x509.cryptoProvider.set(webcrypto as typeof globalThis.crypto)

/**
 * The certificate for these names, signed by a CA of this data folder; both are made when they are not there, and the server's
 * anew when it is about to expire or lacks a name. Devices keep trusting the same CA. P-256, because an RSA key costs more per
 * handshake than the rest of it.
 */
export async function serverCertificate(
  folder: string,
  names: readonly string[],
  clock: Clock,
): Promise<ServerCertificate> {
  const caFile = join(folder, 'ca.pem')
  const caKeyFile = join(folder, 'ca-key.pem')
  if (!existsSync(caFile) || !existsSync(caKeyFile)) await makeCa(caFile, caKeyFile, clock())
  const certificateFile = join(folder, 'server.pem')
  const keyFile = join(folder, 'server-key.pem')
  if (!serves(certificateFile, names, clock())) {
    await makeServer({ caFile, caKeyFile, certificateFile, keyFile }, names, clock())
  }
  return { key: readFileSync(keyFile, 'utf8'), certificate: readFileSync(certificateFile, 'utf8'), caFile }
}

async function makeCa(caFile: string, caKeyFile: string, now: number): Promise<void> {
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
  writeFileSync(caKeyFile, pem, { mode: 0o600 })
  writeFileSync(caFile, ca.toString('pem') + '\n')
}

async function makeServer(
  files: { caFile: string; caKeyFile: string; certificateFile: string; keyFile: string },
  names: readonly string[],
  now: number,
): Promise<void> {
  const ca = new x509.X509Certificate(readFileSync(files.caFile, 'utf8'))
  const signingKey = await importKey(readFileSync(files.caKeyFile, 'utf8'))
  const { keys, pem } = await keyPair()
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
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1']),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }))),
      await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey),
    ],
  })
  writeFileSync(files.keyFile, pem, { mode: 0o600 })
  writeFileSync(files.certificateFile, certificate.toString('pem') + '\n')
}

function serves(certificateFile: string, names: readonly string[], now: number): boolean {
  if (!existsSync(certificateFile)) return false
  const certificate = new X509Certificate(readFileSync(certificateFile))
  const covers = (name: string) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined
  // One that begins later was made before the clock was set back.
  const valid = certificate.validFromDate.getTime() <= now && certificate.validToDate.getTime() > now + renewBefore
  return valid && names.every(covers)
}

async function keyPair(): Promise<{ keys: webcrypto.CryptoKeyPair; pem: string }> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return {
    keys: {
      privateKey: await importKey(pem),
      publicKey: await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']),
    },
    pem,
  }
}

function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), algorithm, false, ['sign'])
}

/** Positive, and unlike any before. */
function serialNumber(): string {
  return '4' + Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex') + '0'
}
