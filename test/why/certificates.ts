import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { createRoot, createSelfSigned, inDays, type Leaf } from '../fixtures/certificates.ts'
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
    says: /client authentication is not among 1\.3\.6\.1\.5\.5\.7\.3\.1/,
    attempt: async (world, id) => {
      const { certificate, key } = await createSelfSigned(id, { usage: 'serverAuth' })
      return enrolled(world, id, { certificate, key })
    },
  },
  {
    reason: 'CertificateKeyTooWeak',
    says: /expected RSA of 2048 bits or more, or P-256, P-384, P-521; found ed25519/,
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
    says: /was not signed by the key of CN=Root of/,
    attempt: async (world, id) => {
      const [enrolledRoot, namesake] = await Promise.all([createRoot(`Root of ${id}`), createRoot(`Root of ${id}`)])
      await enrollIssuer(world, id, enrolledRoot.certificate)
      return present(world, id, await namesake.issueLeaf(id))
    },
  },
  {
    reason: 'ChainNotAnchored',
    when: 'an intermediate is not sent',
    says: /was issued by CN=Intermediate of \S+, which was neither presented nor is it enrolled/,
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
    says: /issued the certificate below it but is not a CA/,
    attempt: async (world, id) => {
      const root = await createRoot(`Root of ${id}`)
      await enrollIssuer(world, id, root.certificate)
      const intermediate = await root.issueAuthority(`Intermediate of ${id}`, { ca: false })
      const { chain, key } = await intermediate.issueLeaf(id)
      return present(world, id, { certificate: chain, key })
    },
  },
]

type Presented = Pick<Leaf, 'certificate' | 'key'>

function present(world: World, id: string, { certificate, key }: Presented) {
  return register(world, id, withCertificate({ certificate, key }))
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
