import 'reflect-metadata' // @peculiar/x509 needs it before itself
import { randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'

/** A certificate and its key, PEM. */
export interface MadeCertificate {
  readonly certificate: string
  readonly key: string
}

/** What a certificate is to say. */
export interface CertificateWish {
  readonly commonName: string
  /** `ca` signs others, as many below each other as `pathLength` lets it; a `server` is known by its host names and addresses. */
  readonly use:
    | { readonly kind: 'ca'; readonly pathLength?: number }
    | { readonly kind: 'server'; readonly names: readonly string[] }
    | { readonly kind: 'device' }
  /** Milliseconds since 1970. It begins a day before, for clocks that are slow. */
  readonly now: number
  /** Days from now. */
  readonly days: number
  /** P-256 unless said. */
  readonly key?: CertificateKeyKind
  /** A CA with a P-256 key; absent: the certificate signs itself. */
  readonly issuer?: MadeCertificate | undefined
}

/** P-256, or RSA of 2048 bits for clients that know no elliptic curves. */
export type CertificateKeyKind = 'p256' | 'rsa'

const p256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const rsa = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
}
const day = 24 * 60 * 60 * 1000

/** Makes a key and the certificate for it, with the extensions that RFC 5280 asks of its use. */
export async function makeCertificate(wish: CertificateWish): Promise<MadeCertificate> {
  const { commonName, now, days, issuer } = wish
  const algorithm = wish.key === 'rsa' ? rsa : p256
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const above = issuer && new x509.X509Certificate(issuer.certificate)
  const subject = new x509.Name([{ CN: [commonName] }])
  const made = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      subject: subject.toString(),
      // As it is encoded: written out and read again, another name could come of it.
      issuer: above?.subjectName ?? subject.toString(),
      notBefore: new Date(now - day),
      notAfter: new Date(now + days * day),
      publicKey: keys.publicKey,
      signingKey: issuer ? await importKey(issuer.key) : keys.privateKey,
      signingAlgorithm: issuer ? p256 : algorithm,
      extensions: [...extensionsFor(wish), ...(await identifiers(wish, keys.publicKey, above))],
    },
    webcrypto,
  )
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { certificate: written(made.toString('pem')), key: written(x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')) }
}

function extensionsFor({ use, key }: CertificateWish): x509.Extension[] {
  const { keyCertSign, cRLSign, digitalSignature, keyEncipherment } = x509.KeyUsageFlags
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage
  if (use.kind === 'ca') {
    return [
      new x509.BasicConstraintsExtension(true, use.pathLength, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
    ]
  }
  const leaf = new x509.BasicConstraintsExtension(false, undefined, true)
  if (use.kind === 'device') {
    return [leaf, new x509.KeyUsagesExtension(digitalSignature, true), new x509.ExtendedKeyUsageExtension([clientAuth])]
  }
  const names = use.names.map((value) => ({ type: isIP(value) ? ('ip' as const) : ('dns' as const), value }))
  return [
    leaf,
    // Clients without elliptic curves may know no other key exchange than by encryption.
    new x509.KeyUsagesExtension(digitalSignature | (key === 'rsa' ? keyEncipherment : 0), true),
    new x509.ExtendedKeyUsageExtension([serverAuth]),
    new x509.SubjectAlternativeNameExtension(names),
  ]
}

/** Whose key this is, and whose signed it, by which a path is found among CAs of one name. [RFC 5280 §4.2.1.1, §4.2.1.2] */
async function identifiers(
  { use }: CertificateWish,
  key: webcrypto.CryptoKey,
  above: x509.X509Certificate | undefined,
): Promise<x509.Extension[]> {
  const own = use.kind === 'ca' ? [await x509.SubjectKeyIdentifierExtension.create(key, false, webcrypto)] : []
  if (!above) return own
  // A CA that somebody else made may call its key by anything.
  const named = above.getExtension(x509.SubjectKeyIdentifierExtension)
  const issuer = named
    ? new x509.AuthorityKeyIdentifierExtension(named.keyId)
    : await x509.AuthorityKeyIdentifierExtension.create(above.publicKey, false, webcrypto)
  return [...own, issuer]
}

function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), p256, false, ['sign'])
}

/** Positive, and unlike any before. */
function serialNumber(): string {
  return `4${randomBytes(15).toString('hex')}0`
}

function written(pem: string): string {
  return `${pem.trimEnd()}\n`
}
