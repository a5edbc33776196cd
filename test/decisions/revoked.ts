import assert from 'node:assert/strict'
import { createRoot, createSelfSigned, sha256Thumbprint } from '../fixtures/certificates.ts'
import { newChip } from '../fixtures/tpm-chip.ts'
import { openControlPlane } from '../management/control-plane.ts'
import { decisionOf, enroll, enrollIssuer, register, withCertificate, withKey, type Case, type World } from './world.ts'

/** What was put on the deny list. */
export const revoked: readonly Case[] = [
  {
    reason: 'RegistrationRevoked',
    says: /the registration ID \S+.*stolen from the yard/,
    attempt: async (world, id) => {
      const key = await enroll(world, id)
      await revoke(world, { registrationId: id })
      return register(world, id, withKey(world, id, key))
    },
  },
  {
    reason: 'CertificateRevoked',
    says: /stolen from the yard/,
    attempt: async (world, id) => {
      const leaf = await createSelfSigned(id)
      const x509 = { clientCertificates: { primary: { certificate: leaf.certificate } } }
      await enroll(world, id, { attestation: { type: 'x509', x509 } })
      await revoke(world, { thumbprint: sha256Thumbprint(leaf.certificate) })
      return register(world, id, withCertificate({ certificate: leaf.certificate, key: leaf.key }))
    },
  },
  {
    reason: 'CertificateRevoked',
    when: "the group's own, which the device does not send",
    says: /the certificate "CN=Root of \S+" was revoked on .*stolen from the yard/,
    attempt: async (world, id) => {
      const root = await createRoot(`Root of ${id}`)
      await enrollIssuer(world, id, root.certificate)
      await revoke(world, { thumbprint: sha256Thumbprint(root.certificate) })
      const { chain, key } = await (await root.issueAuthority(`Intermediate of ${id}`)).issueLeaf(id)
      return register(world, id, withCertificate({ certificate: chain, key }))
    },
  },
  {
    reason: 'CertificateRevoked',
    when: 'of another group, above the one that the device is below',
    says: /the certificate "CN=Root of \S+" was revoked on .*stolen from the yard/,
    attempt: async (world, id) => {
      const root = await createRoot(`Root of ${id}`)
      const intermediate = await root.issueAuthority(`Intermediate of ${id}`)
      await enrollIssuer(world, id, intermediate.certificate)
      await enrollIssuer(world, `${id}-above`, root.certificate)
      await revoke(world, { thumbprint: sha256Thumbprint(root.certificate) })
      const { certificate, key } = await intermediate.issueLeaf(id)
      return register(world, id, withCertificate({ certificate, key }))
    },
  },
  {
    reason: 'CertificateRevocationUnknown',
    when: 'at a service that requires lists',
    says: /^whether the certificate "?CN=\S+ was revoked is not known: no list of "?CN=Root of \S+ that speaks of it is imported/,
    attempt: async (world, id) => {
      await using plane = await openControlPlane('127.90.8', ['--revocation', 'required'])
      const strict = { ...world, plane, service: plane.service }
      const root = await createRoot(`Root of ${id}`)
      await enrollIssuer(strict, id, root.certificate)
      const { certificate, key } = await root.issueLeaf(id)
      assert.equal((await register(strict, id, withCertificate({ certificate, key }))).status, 401)
      return await decisionOf(strict, id)
    },
  },
  {
    reason: 'EndorsementKeyRevoked',
    says: /the endorsement key of \S+.*stolen from the yard/,
    attempt: async (world, id) => {
      const { endorsementKey, storageRootKey } = newChip()
      const tpm = { endorsementKey: endorsementKey.toString('base64') }
      await enroll(world, id, { attestation: { type: 'tpm', tpm } })
      await revoke(world, tpm)
      const body = { registrationId: id, tpm: { ...tpm, storageRootKey: storageRootKey.toString('base64') } }
      return register(world, id, { body })
    },
  },
]

async function revoke({ plane, instance }: World, subject: object): Promise<void> {
  const body = { ...subject, reason: 'stolen from the yard' }
  await plane.call('POST', plane.path(instance, '/revoke'), { body })
}
