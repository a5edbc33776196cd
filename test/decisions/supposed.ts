import assert from 'node:assert/strict'
import { createSelfSigned } from '../fixtures/certificates.ts'
import { enroll, type Case, type Told, type World } from './world.ts'

/** What a TLS library does not let through can only be supposed. */
export const supposed: readonly Case[] = [
  {
    reason: 'CertificateMissing',
    says: /no certificate was presented in the TLS handshake/,
    attempt: (world, id) => suppose(world, { registrationId: id, certificateChain: '' }, id),
  },
  {
    reason: 'CertificateMalformed',
    says: /a presented certificate cannot be read/,
    attempt: async (world, id) => {
      const { certificate } = await createSelfSigned(id)
      return suppose(world, { registrationId: id, certificateChain: certificate.replace(/\n.{20}/, '\nAAAA') }, id)
    },
  },
]

/** What would become of an X.509 device with this enrollment. */
async function suppose(world: World, body: object, id: string): Promise<Told> {
  const { certificate } = await createSelfSigned(id)
  const attestation = { type: 'x509', x509: { clientCertificates: { primary: { certificate } } } }
  await enroll(world, id, { attestation })
  const { plane, instance } = world
  const told: unknown = (await plane.call('POST', plane.path(instance, '/whatif'), { body })).json()
  assert.ok(typeof told === 'object' && told !== null && 'outcome' in told)
  return told as Told
}
