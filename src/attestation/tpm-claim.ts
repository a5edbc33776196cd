import { createHash } from 'node:crypto'
import type { Json } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
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
    tpmClaim({ endorsementKey: base64(endorsementKey), storageRootKey: base64(storageRootKey) }),
  suppose: (member) => {
    const endorsementKey = Buffer.from(member.text('endorsementKey') ?? '', 'base64')
    // Both are storage keys: one stands for the other where only the form of it matters.
    const storageRootKey = member.text('storageRootKey')
    return tpmClaim({
      endorsementKey,
      storageRootKey: storageRootKey === undefined ? endorsementKey : Buffer.from(storageRootKey, 'base64'),
    })
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

const base64Shape = /^[A-Za-z0-9+/]*={0,2}$/

function base64(value: Json | undefined): Buffer {
  if (typeof value === 'string' && base64Shape.test(value)) return Buffer.from(value, 'base64')
  throw new Refusal('BodyMalformed', 'the TPM keys are not base64')
}

function digest(key: Buffer): string {
  return createHash('sha256').update(key).digest('hex')
}
