import { newChip, type Chip } from '../fixtures/tpm-chip.ts'
import { enroll, other, register, withKey, type Case, type World } from './world.ts'

const chip = newChip()
const replaced = newChip()

/** What is wrong with a TPM. */
export const tpms: readonly Case[] = [
  {
    reason: 'EndorsementKeyMalformed',
    says: /^the endorsement key: the size says 282 bytes, 198 follow$/,
    attempt: (world, id) => show(world, id, { ...chip, endorsementKey: chip.endorsementKey.subarray(0, 200) }),
  },
  {
    reason: 'StorageRootKeyMalformed',
    says: /^the storage root key: the size says \d+ bytes, 4 follow$/,
    attempt: (world, id) => show(world, id, { ...chip, storageRootKey: Buffer.from('no key') }),
  },
  {
    reason: 'EndorsementKeyMismatch',
    says: /expected the endorsement key [0-9a-f]{64}, found [0-9a-f]{64} \(SHA-256\)/,
    attempt: (world, id) => show(world, id, replaced),
  },
  {
    reason: 'TpmEnrollmentNotFound',
    says: /no individual TPM enrollment has the registration ID \S+/,
    attempt: (world, id) => register(world, id, { body: bodyOf(id, chip) }),
  },
  {
    reason: 'NonceInvalid',
    says: /not signed with a nonce of this device, or the nonce has expired/,
    attempt: async (world, id) => {
      await enrollChip(world, id)
      const guess = withKey(world, id, other, { keyName: 'registration' })
      return register(world, id, { ...guess, body: bodyOf(id, chip) })
    },
  },
]

async function show(world: World, id: string, shown: Omit<Chip, 'unwrap'>) {
  await enrollChip(world, id)
  return register(world, id, { body: bodyOf(id, shown) })
}

function enrollChip(world: World, id: string) {
  const endorsementKey = chip.endorsementKey.toString('base64')
  return enroll(world, id, { attestation: { type: 'tpm', tpm: { endorsementKey } } })
}

function bodyOf(registrationId: string, { endorsementKey, storageRootKey }: Omit<Chip, 'unwrap'>) {
  const tpm = { endorsementKey: endorsementKey.toString('base64'), storageRootKey: storageRootKey.toString('base64') }
  return { registrationId, tpm }
}
