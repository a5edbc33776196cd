import { createSelfSigned } from '../fixtures/certificates.ts'
import { derivedKey } from '../fixtures/sas.ts'
import { enroll, enrollGroup, other, register, withCertificate, withKey, type Case } from './world.ts'

const soon = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds

/** What is wrong with a token, or with the device that has it. */
export const tokens: readonly Case[] = [
  {
    reason: 'IdScopeUnknown',
    says: /no provisioning service has the ID scope 0neFFFFFFFF/,
    attempt: (world, id) => register(world, id, withKey(world, id, other), '0neFFFFFFFF'),
  },
  {
    reason: 'CredentialMissing',
    says: /no token, no certificate and no TPM keys were sent/,
    attempt: async (world, id) => {
      await enroll(world, id)
      return register(world, id)
    },
  },
  {
    reason: 'TokenMalformed',
    says: /^the token has no sig and no se$/,
    attempt: async (world, id) => {
      await enroll(world, id)
      return register(world, id, { headers: { authorization: 'SharedAccessSignature sr=x' } })
    },
  },
  {
    reason: 'TokenExpired',
    when: 'the clock of the device is an hour behind',
    says: /expired 36\d\d s ago/,
    attempt: async (world, id) => {
      const key = await enroll(world, id)
      return register(world, id, withKey(world, id, key, { expiry: soon(-3600) }))
    },
  },
  {
    reason: 'TokenForAnotherResource',
    says: /somebody-else/,
    attempt: async (world, id) => {
      const key = await enroll(world, id)
      const resource = `${world.service.idScope}/registrations/somebody-else`
      return register(world, id, withKey(world, id, key, {}, resource))
    },
  },
  {
    reason: 'TokenKeyNameInvalid',
    says: /iothubowner/,
    attempt: async (world, id) => {
      const key = await enroll(world, id)
      return register(world, id, withKey(world, id, key, { keyName: 'iothubowner' }))
    },
  },
  {
    reason: 'TokenSignatureInvalid',
    says: /neither key of the individual enrollment/,
    attempt: async (world, id) => {
      await enroll(world, id)
      return register(world, id, withKey(world, id, Buffer.alloc(64, 3).toString('base64')))
    },
  },
  {
    reason: 'TokenSignatureInvalid',
    when: 'the derived key belongs to another device',
    says: /none of \d+ symmetric key groups has a key that signed the token/,
    attempt: async (world, id) => {
      const primaryKey = Buffer.from(id.padEnd(64, '-')).toString('base64')
      await enrollGroup(world, id, { type: 'symmetricKey', symmetricKey: { primaryKey, secondaryKey: other } })
      return register(world, id, withKey(world, id, derivedKey(primaryKey, 'somebody-else')))
    },
  },
  {
    reason: 'TokenSignedWithGroupKey',
    says: /signed with a key of the group \S+ itself; derive the device's key from it/,
    attempt: async (world, id) => {
      const primaryKey = Buffer.from(id.padEnd(64, '=')).toString('base64')
      await enrollGroup(world, id, { type: 'symmetricKey', symmetricKey: { primaryKey, secondaryKey: other } })
      return register(world, id, withKey(world, id, primaryKey))
    },
  },
  {
    reason: 'EnrollmentNotFound',
    says: /no individual enrollment has the registration ID \S+, and no group vouches for it/,
    attempt: async (world, id) => {
      const { idScope } = await world.plane.createInstance(`${id}-empty`)
      const resource = `${idScope}/registrations/${id}`
      return register(world, id, withKey(world, id, other, {}, resource), idScope)
    },
  },
  {
    reason: 'AttestationTypeMismatch',
    says: /asks for symmetricKey; the device sent a certificate/,
    attempt: async (world, id) => {
      await enroll(world, id)
      return register(world, id, withCertificate(await createSelfSigned(id)))
    },
  },
  {
    reason: 'AddressNotAllowed',
    says: /127\.0\.0\.1 is rejected by a rule of \S+-closed/,
    attempt: async (world, id) => {
      const rule = { filterName: 'nobody', action: 'Reject', ipMask: '127.0.0.0/8', target: 'deviceApi' }
      const { idScope } = await world.plane.createInstance(`${id}-closed`, { ipFilterRules: [rule] })
      const resource = `${idScope}/registrations/${id}`
      return register(world, id, withKey(world, id, other, {}, resource), idScope)
    },
  },
]
