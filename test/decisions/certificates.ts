import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import {
  createRoot,
  createSelfSigned,
  criticalExtension,
  cRLSign,
  inDays,
  keyEncipherment,
  type CertificateOptions,
  type Leaf,
} from '../fixtures/certificates.ts'
import { enroll, enrollGroup, enrollIssuer, register, withCertificate, type Case, type World } from './world.ts'

/** What is wrong with a certificate, or with the chain that it is at the end of. */
export const certificates: readonly Case[] = [
  {
    reason: 'CertificateCommonNameMissing',
    says: /has no common name/,
    attempt: async (world, id) => present(world, id, await createSelfSigned(id, { subject: 'O=Example' })),
  },
  {
    reason: 'CertificateCommonNameMismatch',
    says: /the certificate is for somebody-else; the device registers as \S+/,
    attempt: async (world, id) => present(world, id, await createSelfSigned('somebody-else')),
  },
  {
    reason: 'CertificateNotEnrolled',
    says: /presented [0-9A-F]{64}; the individual enrollment holds [0-9A-F]{64}$/,
    attempt: async (world, id) => {
      await enrollLeaf(world, id, await createSelfSigned(id))
      return present(world, id, await createSelfSigned(id))
    },
  },
  {
    reason: 'CertificateExpired',
    says: /expired on \d{4}-/,
    attempt: (world, id) => enrolledLeaf(world, id, { notBefore: inDays(-9), notAfter: inDays(-2) }),
  },
  {
    reason: 'CertificateNotYetValid',
    says: /is valid from \d{4}-/,
    attempt: (world, id) => enrolledLeaf(world, id, { notBefore: inDays(2), notAfter: inDays(9) }),
  },
  {
    reason: 'CertificatePurposeInvalid',
    when: 'the device is a server',
    says: /client authentication is not among 1\.3\.6\.1\.5\.5\.7\.3\.1/,
    attempt: async (world, id) => {
      const { certificate, key } = await createSelfSigned(id, { usage: 'serverAuth' })
      return enrolled(world, id, { certificate, key })
    },
  },
  {
    reason: 'CertificateKeyTooWeak',
    says: /expected RSA of 2048 bits or more, or P-256, P-384, P-521; found Ed25519/,
    attempt: async (world, id) => enrolled(world, id, await createEdwards(id)),
  },
  {
    reason: 'ChainTooLong',
    says: /11 certificates were presented; at most 10 are read/,
    attempt: async (world, id) => {
      let authority = await createRoot(`Root of ${id}`)
      for (let level = 0; level < 10; level++) authority = await authority.issueAuthority(`Level ${level} of ${id}`)
      const { chain, key } = await authority.issueLeaf(id)
      return present(world, id, { certificate: chain, key })
    },
  },
  {
    reason: 'ChainSignatureInvalid',
    says: /was not signed by the key of "CN=Root of/,
    attempt: async (world, id) => {
      const [enrolledRoot, namesake] = await Promise.all([createRoot(`Root of ${id}`), createRoot(`Root of ${id}`)])
      await enrollIssuer(world, id, enrolledRoot.certificate)
      return present(world, id, await namesake.issueLeaf(id))
    },
  },
  {
    reason: 'ChainNotAnchored',
    when: 'an intermediate is not sent',
    says: /was issued by "CN=Intermediate of \S+", which was neither presented nor is it enrolled/,
    attempt: async (world, id) => {
      const root = await createRoot(`Root of ${id}`)
      await enrollIssuer(world, id, root.certificate)
      const leaf = await (await root.issueAuthority(`Intermediate of ${id}`)).issueLeaf(id)
      return present(world, id, leaf)
    },
  },
  {
    reason: 'ChainRootUnknown',
    says: /Root of \S+ \(SHA-256 [0-9A-F]{64}\) signed itself and is not enrolled/,
    attempt: async (world, id) => {
      const root = await createRoot(`Root of ${id}`)
      const { chainWithRoot, key } = await root.issueLeaf(id)
      return present(world, id, { certificate: chainWithRoot, key })
    },
  },
  {
    reason: 'CaCertificateNotVerified',
    says: /the chain ends at the CA certificate \S+, whose possession was not proven/,
    attempt: async (world, id) => {
      const root = await createRoot(`Root of ${id}`)
      await upload(world, id, root.certificate, false)
      const primary = id
      await enrollGroup(world, id, { type: 'x509', x509: { caReferences: { primary } } })
      return present(world, id, await root.issueLeaf(id))
    },
  },
  {
    reason: 'CaCertificateNotReferenced',
    says: /the chain ends at the CA certificate \S+, to which no enrollment of the device refers/,
    attempt: async (world, id) => {
      const root = await createRoot(`Root of ${id}`)
      await upload(world, id, root.certificate, true)
      return present(world, id, await root.issueLeaf(id))
    },
  },
  {
    reason: 'ChainIssuerNotCa',
    when: 'an intermediate is none',
    says: /^"CN=Intermediate of \S+" issued the certificate below it but is not a CA: its basic constraints do not say CA/,
    attempt: async (world, id) => {
      const root = await createRoot(`Root of ${id}`)
      await enrollIssuer(world, id, root.certificate)
      const intermediate = await root.issueAuthority(`Intermediate of ${id}`, { ca: false })
      const { chain, key } = await intermediate.issueLeaf(id)
      return present(world, id, { certificate: chain, key })
    },
  },
  {
    reason: 'ChainPathLengthExceeded',
    says: /^"CN=Root of \S+" allows 0 CAs below it by its path length; there are 1; it is enrolled in the group why-\d+$/,
    attempt: (world, id) => below(world, id, { root: { pathLength: 0 } }),
  },
  {
    reason: 'ChainPathLengthExceeded',
    when: 'an intermediate says so',
    says: /^"CN=Intermediate of \S+" allows 0 CAs below it by its path length; there are 1$/,
    attempt: async (world, id) => {
      const root = await createRoot(`Root of ${id}`)
      await enrollIssuer(world, id, root.certificate)
      const upper = await root.issueAuthority(`Intermediate of ${id}`, { pathLength: 0 })
      const { chain, key } = await (await upper.issueAuthority(`Lower of ${id}`)).issueLeaf(id)
      return present(world, id, { certificate: chain, key })
    },
  },
  {
    reason: 'ChainNameForbidden',
    says: /^"CN=Intermediate of \S+" has name constraints that forbid CN=\S+ below it: the subject .* is not among/,
    attempt: (world, id) => below(world, id, { intermediate: { extensions: [onlyOrganization('Example')] } }),
  },
  {
    reason: 'CertificateExtensionUnknown',
    when: 'of a CA',
    says: /^"CN=Intermediate of \S+" has the critical extension 1\.2\.3\.4, which is not known here$/,
    attempt: (world, id) => below(world, id, { intermediate: { extensions: [criticalExtension('1.2.3.4', '0500')] } }),
  },
  {
    reason: 'CertificateExtensionUnknown',
    when: 'of the enrolled certificate',
    says: /^"CN=Root of \S+" has the critical extension 1\.2\.3\.4, .* here; it is enrolled in the group why-\d+$/,
    attempt: (world, id) => below(world, id, { root: { extensions: [criticalExtension('1.2.3.4', '0500')] } }),
  },
  {
    reason: 'CertificateExtensionUnknown',
    when: 'of the device',
    says: /^CN=why-\d+ has the critical extension 1\.2\.3\.4, which is not known here$/,
    attempt: (world, id) => below(world, id, { leaf: { extensions: [criticalExtension('1.2.3.4', '0500')] } }),
  },
  {
    reason: 'CertificateKeyTooWeak',
    when: 'an intermediate has RSA of 1024 bits',
    says: /^"CN=Intermediate of \S+" has a key .* found RSA of 1024 bits$/,
    attempt: (world, id) => below(world, id, { intermediate: { algorithm: 'rsa-1024' } }),
  },
  {
    reason: 'CertificateKeyTooWeak',
    when: 'the enrolled certificate has RSA of 1024 bits',
    says: /^"CN=Root of \S+" has a key .* found RSA of 1024 bits; it is enrolled in the group why-\d+$/,
    attempt: (world, id) => below(world, id, { root: { algorithm: 'rsa-1024' } }),
  },
  {
    reason: 'CertificateSignatureTooWeak',
    when: 'of the device, with RSA',
    says: /^CN=why-\d+ was signed with sha1WithRSAEncryption; expected/,
    attempt: (world, id) =>
      below(world, id, { intermediate: { algorithm: 'rsa-2048' }, leaf: { algorithm: 'rsa-2048', hash: 'SHA-1' } }),
  },
  {
    reason: 'CertificateSignatureTooWeak',
    when: 'of an intermediate',
    says: /^"CN=Intermediate of \S+" was signed with ecdsa-with-SHA1; expected/,
    attempt: (world, id) => below(world, id, { intermediate: { hash: 'SHA-1' } }),
  },
  {
    reason: 'CertificateKeyUsageInvalid',
    when: 'a CA may not sign certificates',
    says: /^"CN=Intermediate of \S+" is a CA that issued the certificate below it but may not: its key usage has no keyCertSign$/,
    attempt: (world, id) => below(world, id, { intermediate: { keyUsage: cRLSign } }),
  },
  {
    reason: 'CertificateKeyUsageInvalid',
    when: 'a device may not sign',
    says: /^CN=why-\d+ has a key usage without digitalSignature/,
    attempt: (world, id) => below(world, id, { leaf: { keyUsage: keyEncipherment } }),
  },
  {
    reason: 'CertificatePurposeInvalid',
    when: 'a CA is for servers',
    says: /^"CN=Intermediate of \S+" has extended key usages, and client authentication is not among/,
    attempt: (world, id) => below(world, id, { intermediate: { extensions: [forServers()] } }),
  },
  {
    reason: 'CertificateIsCa',
    says: /^CN=why-\d+ is the certificate of a CA/,
    attempt: (world, id) => below(world, id, { leaf: { ca: true } }),
  },
  {
    reason: 'CertificateIsCa',
    when: 'the enrolled one itself is presented',
    says: /is itself the one that the group why-\d+ has enrolled as a CA/,
    attempt: async (world, id) => {
      const old = await createSelfSigned(id, { extensions: 'bare' })
      await enrollIssuer(world, id, old.certificate)
      return present(world, id, old)
    },
  },
  {
    reason: 'CertificateExpired',
    when: 'the enrolled certificate has',
    says: /^"CN=Root of \S+" expired on \d{4}-.*; it is enrolled in the group why-\d+$/,
    attempt: (world, id) => below(world, id, { root: { notBefore: inDays(-9), notAfter: inDays(-2) } }),
  },
  {
    reason: 'CertificateNotYetValid',
    when: 'an intermediate',
    says: /^"CN=Intermediate of \S+" is valid from \d{4}-/,
    attempt: (world, id) => below(world, id, { intermediate: { notBefore: inDays(2) } }),
  },
  {
    reason: 'ChainPolicyInvalid',
    says: /^CN=why-\d+ is on a path of which a policy is required, and none is valid/,
    attempt: (world, id) =>
      below(world, id, { intermediate: { extensions: [criticalExtension('2.5.29.36', '3003800100')] } }),
  },
]

/** A device below an intermediate below an enrolled root, of which something is not as it should be. */
async function below(
  world: World,
  id: string,
  { root, intermediate, leaf }: Partial<Record<'root' | 'intermediate' | 'leaf', CertificateOptions>>,
) {
  const enrolledRoot = await createRoot(`Root of ${id}`, root)
  await enrollIssuer(world, id, enrolledRoot.certificate)
  const authority = await enrolledRoot.issueAuthority(`Intermediate of ${id}`, intermediate)
  const { chain, key } = await authority.issueLeaf(id, leaf)
  return present(world, id, { certificate: chain, key })
}

/** Name constraints that permit the directory names below O=name. */
function onlyOrganization(name: string): x509.Extension {
  const text = Buffer.from(name).toString('hex')
  const wrap = (tag: string, hex: string) => tag + (hex.length / 2).toString(16).padStart(2, '0') + hex
  const organization = wrap('31', wrap('30', wrap('06', '55040a') + wrap('0c', text)))
  return criticalExtension('2.5.29.30', wrap('30', wrap('a0', wrap('30', wrap('a4', wrap('30', organization))))))
}

function forServers(): x509.Extension {
  return new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth])
}

type Presented = Pick<Leaf, 'certificate' | 'key'>

function present(world: World, id: string, { certificate, key }: Presented) {
  return register(world, id, { ...withCertificate({ certificate, key }), ciphers: 'DEFAULT@SECLEVEL=0' })
}

function enrollLeaf(world: World, id: string, { certificate }: Presented) {
  const attestation = { type: 'x509', x509: { clientCertificates: { primary: { certificate } } } }
  return enroll(world, id, { attestation })
}

async function enrolled(world: World, id: string, leaf: Presented) {
  await enrollLeaf(world, id, leaf)
  return present(world, id, leaf)
}

async function enrolledLeaf(world: World, id: string, dates: { notBefore: Date; notAfter: Date }) {
  return enrolled(world, id, await createSelfSigned(id, dates))
}

async function upload({ plane, instance }: World, name: string, certificate: string, isVerified: boolean) {
  const body = { properties: { certificate: Buffer.from(certificate).toString('base64'), isVerified } }
  await plane.call('PUT', plane.path(instance, `/certificates/${name}`), { body })
}

/** A key that TLS takes and provisioning does not. */
async function createEdwards(commonName: string): Promise<Presented> {
  const algorithm = { name: 'Ed25519' }
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    { name: `CN=${commonName}`, notBefore: inDays(-1), notAfter: inDays(9), signingAlgorithm: algorithm, keys },
    webcrypto,
  )
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { certificate: certificate.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') }
}
