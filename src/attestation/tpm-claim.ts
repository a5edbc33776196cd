import { createHash } from 'node:crypto'
import { kindOf, type Json } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Members } from '../model/members.ts'
import { publicOfText, type KeyRole } from '../wire/tpm/key-forms.ts'
import { MalformedTpmStructure } from '../wire/tpm/structure-reader.ts'
import { parseStorageKey } from '../wire/tpm/storage-key.ts'
import { askStorageRootKey, askToken, readTpmOpening } from '../wire/amqp/sasl-tpm.ts'
import { claimOf, type Claim, type Credential } from './attestation.ts'
import type { ClaimWords, SaslWords } from './attestation-kind.ts'

/** TPM2B_PUBLIC areas as the device sent them; nothing of them has been looked at. */
export interface TpmKeys {
  readonly endorsementKey: Buffer
  readonly storageRootKey: Buffer
}

export interface TpmClaim extends Claim, TpmKeys {
  readonly of: 'tpm'
}

/** What a TPM says of itself: alone it asks for the challenge, beside a token it has answered. [device-wire §5] */
export function tpmClaim({ endorsementKey, storageRootKey }: TpmKeys): TpmClaim {
  return {
    of: 'tpm',
    called: 'TPM',
    shown: `a TPM with the endorsement key ${digest(endorsementKey)} and the storage root key ${digest(storageRootKey)} (SHA-256)`,
    refusedAs: 'TpmEnrollmentNotFound',
    endorsementKey,
    storageRootKey,
  }
}

/** The keys that came with a credential. */
export function tpmKeysOf(credential: Credential): TpmClaim | undefined {
  const claim = claimOf(credential)
  return claim && isOfTpm(claim) ? claim : undefined
}

function isOfTpm(claim: Claim): claim is TpmClaim {
  return claim.of === 'tpm'
}

/** The member `tpm` of a register body. [device-wire §1.4] */
export const tpmMember: ClaimWords = {
  read: ({ endorsementKey, storageRootKey }) =>
    tpmClaim({
      endorsementKey: sentKey(endorsementKey, 'endorsement key'),
      storageRootKey: sentKey(storageRootKey, 'storage root key'),
    }),
  suppose: (member) => {
    const endorsementKey = readTpmKey(member, 'endorsementKey')
    if (!endorsementKey) throw member.refusal('endorsementKey', 'is required')
    // Both are storage keys: one stands for the other where only the form of it matters.
    return tpmClaim({ endorsementKey, storageRootKey: readTpmKey(member, 'storageRootKey') ?? endorsementKey })
  },
}

/** The SASL mechanism `TPM`: keys, challenge and token before OPEN. [device-wire §5.3] */
export const tpmSasl: SaslWords = {
  mechanism: 'TPM',
  converse: async (initialResponse, challenge, { begin, prove }) => {
    const opening = readTpmOpening(initialResponse)
    const storageRootKey = opening && (await askStorageRootKey(challenge))
    if (!storageRootKey) return undefined
    const { idScope, registrationId, endorsementKey } = opening
    const device = { idScope, registrationId }
    const claim = tpmClaim({ endorsementKey, storageRootKey })
    const credential: Credential = { kind: 'claim', claim }
    const asked = await begin(device, credential)
    if (!asked) return undefined
    // Disabled: what was not proven is not challenged for either, and the device is told in answer to its request.
    if (asked === 'none') return { device, credential }
    const token = await askToken(Buffer.from(asked.authenticationKey, 'base64'), challenge)
    return token === undefined ? undefined : prove(device, { kind: 'token', token, claim })
  },
}

/** The key in a member of an operator's request, as TPM2B_PUBLIC; undefined if it is absent. Refuses what is no key, by name. */
export function readTpmKey(member: Members, name: 'endorsementKey' | 'storageRootKey'): Buffer | undefined {
  const text = member.text(name)
  if (!text) return undefined
  try {
    return parseStorageKey(publicOfText(text, name === 'endorsementKey' ? 'endorsement key' : 'storage root key')).bytes
  } catch (error) {
    if (!(error instanceof MalformedTpmStructure)) throw error
    throw member.refusal(
      name,
      `is no TPM2B_PUBLIC of an RSA storage key, nor what it can be read from: ${error.message}`,
    )
  }
}

/** TPM2B_PUBLIC, or what it can be read from; whether a TPM could have such a key is looked at later. */
function sentKey(value: Json | undefined, role: KeyRole): Buffer {
  if (typeof value !== 'string') throw new Refusal('BodyMalformed', `the ${role} in tpm is ${kindOf(value)}, not text`)
  try {
    return publicOfText(value, role)
  } catch (error) {
    if (!(error instanceof MalformedTpmStructure)) throw error
    const reason = role === 'endorsement key' ? 'EndorsementKeyMalformed' : 'StorageRootKeyMalformed'
    throw new Refusal(reason, `the ${role}: ${error.message}`)
  }
}

function digest(key: Buffer): string {
  return createHash('sha256').update(key).digest('hex')
}
