import { createHash, randomBytes } from 'node:crypto'
import type { TpmMechanism } from '../model/enrollment.ts'
import { registrationKey } from '../model/identifiers.ts'
import { Refusal, type RefusalReason } from '../model/refusal.ts'
import { sameBytes, Secret } from '../base/secret.ts'
import type { Clocks } from '../base/time.ts'
import { expectedSignature } from '../wire/sas-token.ts'
import { authenticationKey } from '../wire/tpm/authentication-key.ts'
import { longestHmacKey } from '../wire/tpm/hmac-key.ts'
import { MalformedTpmStructure } from '../wire/tpm/reader.ts'
import { parseStorageKey, type StorageKey } from '../wire/tpm/storage-key.ts'
import type { AttestationKind, Credential, Evidence, Presented, TpmKeys } from './attestation.ts'
import type { FailureBudget } from './failure-budget.ts'
import { presentedToken } from './token.ts'

/** Milliseconds that a nonce is handed out; it stays good for as long again. [device-wire §5.2] */
const generation = 60 * 60 * 1000
/** What wrapping a nonce for a TPM costs, beside looking at a group. */
const trialsOfChallenge = 20
/** A clock may be set more than once in an hour. */
const mostGenerations = 4
/** Part six of the blob has to fit two SASL frames with the rest. [device-wire §5.3] */
const longestUri = 64

/**
 * A TPM proves itself by signing with a nonce key that only it could unwrap. Nothing is kept between challenge and answer: the
 * nonce is derived from `nonceSecret`, which all nodes share, and belongs to one ID scope, registration and endorsement key.
 * Individual enrollments only. [device-wire §5]
 */
export function tpm(clocks: Clocks, nonceSecret: Secret, budget: FailureBudget): AttestationKind<TpmMechanism> {
  const { clock } = clocks
  const generations = nonceGenerations(clocks)
  return {
    type: 'tpm',
    reads: ({ kind }) => kind === 'tpm' || kind === 'token',
    check: ({ credential }) => void (credential.kind === 'tpm' && sentKeys(credential)),
    decoy: { type: 'tpm', endorsementKey: randomBytes(32).toString('base64') },

    individual: async (presented, mechanism) => {
      const { credential, service } = presented
      const enrolled = Buffer.from(mechanism.endorsementKey, 'base64')
      const { endorsementKey, storageRootKey } = sentKeys(credential)
      if (endorsementKey && !sameBytes(endorsementKey.bytes, enrolled)) {
        const found = `expected the endorsement key ${digest(enrolled)}, found ${digest(endorsementKey.bytes)} (SHA-256)`
        throw new Refusal('EndorsementKeyMismatch', found)
      }
      if (credential.kind === 'tpm' && endorsementKey && storageRootKey) {
        const key = nonce(presented, enrolled, generations.handOut(), nonceSecret).reveal()
        const uri = (service.hostNames[0] ?? '').slice(0, longestUri)
        // Whoever knows the endorsement key can ask for as many as it likes.
        budget.charge(presented, trialsOfChallenge)
        const challenge = () => authenticationKey({ endorsementKey, storageRootKey, key, uri }).toString('base64')
        return { challenge: async () => ({ authenticationKey: challenge(), keyName: 'registration' }) }
      }

      const token = presentedToken(presented, clock)
      const signed = generations.good().some((generation) => {
        return sameBytes(token.signature, expectedSignature(token, nonce(presented, enrolled, generation, nonceSecret)))
      })
      if (!signed) {
        throw new Refusal(
          'NonceInvalid',
          'the token was not signed with a nonce of this device, or the nonce has expired',
        )
      }
      return { evidence: evidence(mechanism, storageRootKey) }
    },

    group: async () => undefined,

    context: ({ endorsementKey, storageRootKey }) => ({ endorsementKey, storageRootKey }),

    hubCredential: (_, { storageRootKey }) => {
      if (storageRootKey) return { type: 'hubKey' }
      throw new Refusal(
        'StorageRootKeyMalformed',
        'the device sent no storage root key for its hub key to be wrapped for',
      )
    },

    seal: ({ endorsementKey, storageRootKey }, hubKey, hubHostName) => {
      if (hubKey.length > longestHmacKey) {
        const found = `the hub's key has ${hubKey.length} bytes; a TPM takes ${longestHmacKey}`
        throw new Refusal('HubRefused', found)
      }
      return authenticationKey({
        endorsementKey: readKey(bytes(endorsementKey), 'EndorsementKeyMalformed'),
        storageRootKey: readKey(bytes(storageRootKey), 'StorageRootKeyMalformed'),
        key: hubKey.reveal(),
        uri: hubHostName.slice(0, longestUri),
      }).toString('base64')
    },
  }
}

/**
 * Which hours' nonces are handed out and which are good. By the wall clock, which nodes share; a clock that is set meanwhile, by
 * however much, takes no nonce from a device that is at work with it.
 */
function nonceGenerations({ clock, monotonic }: Clocks) {
  const now = () => Math.floor(clock() / generation)
  let handedOut: readonly { readonly number: number; readonly at: number }[] = []
  return {
    handOut: (): number => {
      const [number, at] = [now(), monotonic()]
      const others = handedOut.filter((one) => one.number !== number && at - one.at < generation)
      handedOut = [{ number, at }, ...others].slice(0, mostGenerations)
      return number
    },
    good: (): readonly number[] => {
      const [number, at] = [now(), monotonic()]
      const before = handedOut.filter((one) => at - one.at < generation).map((one) => one.number)
      // The next hour's too: another node, or this one before its clock was set back, may have been there already.
      return [...new Set([number, number - 1, number + 1, ...before])]
    },
  }
}

/** The key that the device signs with until it has its hub key. */
function nonce(
  { service, registrationId }: Presented,
  endorsementKey: Buffer,
  generation: number,
  secret: Secret,
): Secret {
  const owner = [service.idScope, registrationKey(registrationId), digest(endorsementKey), generation]
  return new Secret(secret.hmac(owner.join('\0')))
}

/** The storage root key of this registration, not one from before: it changes when the TPM is cleared. [device-wire §5.6] */
function evidence(mechanism: TpmMechanism, sent: StorageKey | undefined): Evidence {
  const storageRootKey = sent ? sent.bytes.toString('base64') : mechanism.storageRootKey
  return { endorsementKey: mechanism.endorsementKey, storageRootKey }
}

interface SentKeys {
  readonly endorsementKey?: StorageKey
  readonly storageRootKey?: StorageKey
}

const parsed = new WeakMap<TpmKeys, SentKeys>()

/** The keys that came along, read once for each request. */
function sentKeys(credential: Credential): SentKeys {
  const keys = 'tpm' in credential ? credential.tpm : undefined
  if (!keys) return {}
  const known = parsed.get(keys)
  if (known) return known
  const read = {
    endorsementKey: readKey(keys.endorsementKey, 'EndorsementKeyMalformed'),
    storageRootKey: readKey(keys.storageRootKey, 'StorageRootKeyMalformed'),
  }
  parsed.set(keys, read)
  return read
}

function readKey(bytes: Buffer, reason: RefusalReason): StorageKey {
  try {
    return parseStorageKey(bytes)
  } catch (error) {
    if (error instanceof MalformedTpmStructure) throw new Refusal(reason, error.message)
    throw error
  }
}

function bytes(base64: Evidence[string]): Buffer {
  return Buffer.from(String(base64), 'base64')
}

function digest(key: Buffer): string {
  return createHash('sha256').update(key).digest('hex')
}
