import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConfigurationError } from './configuration.ts'
import { partial, readText, reasonOf, syncFolder, writeDurably } from './files.ts'

/** A certificate and its key, each in a file. */
export interface KeyPairFiles {
  readonly certificate: string
  readonly key: string
}

/** PEM; the certificate may be followed by others. */
export interface KeyPair {
  readonly certificate: string
  readonly key: string
}

/** What there is of a pair. */
export interface KeptKeyPair {
  readonly certificate: string | undefined
  readonly key: string | undefined
}

/** What there is of the pair. Throws ConfigurationError, with the names, where a file cannot be used or they do not fit. */
export function readKeyPair(files: KeyPairFiles, whose: string): KeptKeyPair {
  finishWriting(files)
  const certificate = existsSync(files.certificate) ? readCertificate(files.certificate, whose) : undefined
  const key = existsSync(files.key) ? readKey(files.key, whose) : undefined
  if (certificate !== undefined && key !== undefined && !fits(certificate, key)) {
    throw new ConfigurationError(
      `${files.key} is not the key of the certificate in ${files.certificate}: put back the file that was changed`,
    )
  }
  return { certificate, key }
}

/** Write the pair so that at any moment the old one or the new one is there. */
export function writeKeyPair(files: KeyPairFiles, { certificate, key }: KeyPair): void {
  writeDurably([
    { path: files.key, text: key, mode: 0o600 },
    { path: files.certificate, text: certificate, mode: 0o644 },
  ])
}

/** The text of a file that begins with a certificate. Throws ConfigurationError, with its name. */
export function readCertificate(path: string, whose: string): string {
  const text = readText(path, `the certificate of ${whose}`)
  return demand(text, (pem) => new X509Certificate(pem), `${path} does not begin with a certificate in PEM`)
}

/** The text of a file with a private key. Throws ConfigurationError, with its name. */
export function readKey(path: string, whose: string): string {
  const text = readText(path, `the key of ${whose}`)
  return demand(text, createPrivateKey, `${path} does not hold a private key in PEM, without a passphrase`)
}

/** Whether the key is that of the first certificate. */
export function fits(certificate: string, key: string): boolean {
  return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
}

/** Where writing a pair ended between its two files, the new key has its name and the new certificate has not. */
function finishWriting({ certificate, key }: KeyPairFiles): void {
  const written = partial(certificate)
  if (existsSync(partial(key)) || !existsSync(written) || !existsSync(key)) return
  try {
    if (!fits(readText(written, ''), readText(key, ''))) return
  } catch {
    return
  }
  renameSync(written, certificate)
  syncFolder(dirname(certificate))
}

function demand(text: string, parse: (pem: string) => unknown, otherwise: string): string {
  try {
    parse(text)
    return text
  } catch (error) {
    throw new ConfigurationError(`${otherwise}: ${reasonOf(error)}`)
  }
}
