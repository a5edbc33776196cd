import { createHash, randomBytes } from 'node:crypto'
import { registrationKey } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import { sameBytes, Secret } from '../base/secret.ts'
import type { Clocks } from '../base/time.ts'
import { expectedSignature } from '../wire/sas-token.ts'
import { authenticationKey } from '../wire/tpm/authentication-key.ts'
import { longestHmacKey } from '../wire/tpm/hmac-key.ts'
import { publicOfBytes } from '../wire/tpm/key-forms.ts'
import { MalformedTpmStructure } from '../wire/tpm/structure-reader.ts'
import { parseStorageKey, type StorageKey } from '../wire/tpm/storage-key.ts'
import { rootKeysKept, type Store } from '../store/store.ts'
import type { AttestationKind } from './attestation-kind.ts'
import { claimOf, type Challenge, type Credential, type Evidence, type Presented } from './attestation.ts'
import type { FailureBudget } from './failure-budget.ts'
import { presentedToken } from './token.ts'
import { tpmKeysOf, tpmMember, tpmSasl, type TpmKeys } from './tpm-claim.ts'
import { tpmEnrollment, type TpmMechanism } from './tpm-mechanism.ts'

/** Milliseconds that a nonce is handed out; it stays good for as long again. [device-wire §5.2] */
const generation = 60 * 60 * 1000
/** What wrapping a nonce for a TPM costs, beside looking at a group. */
const trialsOfChallenge = 20
/** A clock may be set more than once in an hour. */
const mostGenerations = 4
/** Part six of the blob has to fit two SASL frames with the rest. [device-wire §5.3] */
const longestUri = 64

/**
 * A TPM proves itself by signing with a nonce key that only it could unwrap. The nonce is derived from `nonceSecret`, which all
 * nodes share, and belongs to one ID scope, registration, endorsement key and storage root key. Of these the answer need not
 * repeat the last, and IoT Edge does not: it is kept in the store between challenge and answer. Individual enrollments only.
 * [device-wire §5]
 */
export function tpm(
  store: Pick<Store, 'rootKeys' | 'transact'>,
  clocks: Clocks,
  nonceSecret: Secret,
  budget: FailureBudget,
): AttestationKind<TpmMechanism> {
  const { clock } = clocks
  const generations = nonceGenerations(clocks)
  return {
    type: 'tpm',
    reads: (credential) => credential.kind === 'token' || isChallengeWanted(credential),
    check: ({ credential }) => void (isChallengeWanted(credential) && sentKeys(credential)),
    decoy: { type: 'tpm', endorsementKey: randomBytes(32).toString('base64') },

    individual: async (presented, mechanism) => {
      const { credential, service, registrationId } = presented
      const enrolled = Buffer.from(mechanism.endorsementKey, 'base64')
      const { endorsementKey, storageRootKey } = sentKeys(credential)
      if (endorsementKey && !sameBytes(endorsementKey.bytes, enrolled)) {
        const found = `expected the endorsement key ${digest(enrolled)}, found ${digest(endorsementKey.bytes)} (SHA-256)`
        throw new Refusal('EndorsementKeyMismatch', found)
      }
      if (isChallengeWanted(credential) && endorsementKey && storageRootKey) {
        const owner = nonceOwner(presented, enrolled, storageRootKey.bytes)
        const key = nonce(owner, generations.handOut(), nonceSecret).reveal()
        const uri = (service.hostNames[0] ?? '').slice(0, longestUri)
        // Whoever knows the endorsement key can ask for as many as it likes.
        budget.charge(presented, trialsOfChallenge)
        const challenge = async (): Promise<Challenge> => {
          const [latest] = await store.rootKeys.of(service.idScope, registrationId)
          if (!latest?.rootKey.equals(storageRootKey.bytes)) {
            const rootKey = storageRootKey.bytes
            await store.transact((write) => write.rootKeys.put(service.idScope, registrationId, rootKey, clock()))
          }
          const wrapped = authenticationKey({ endorsementKey, storageRootKey, key, uri })
          return { authenticationKey: wrapped.toString('base64'), keyName: 'registration' }
        }
        return { challenge }
      }

      const token = presentedToken(presented, clock)
      const rootKeys = storageRootKey ? [storageRootKey.bytes] : await keptRootKeys(presented, store)
      const signedUnder = rootKeys.find((rootKey) => {
        const owner = nonceOwner(presented, enrolled, rootKey)
        return generations
          .good()
          .some((generation) =>
            sameBytes(token.signature, expectedSignature(token, nonce(owner, generation, nonceSecret))),
          )
      })
      if (!signedUnder) {
        throw new Refusal(
          'NonceInvalid',
          'the token was not signed with a nonce of this device, or the nonce has expired',
        )
      }
      const { endorsementKey: enrolledKey } = mechanism
      return { evidence: { endorsementKey: enrolledKey, storageRootKey: signedUnder.toString('base64') } }
    },

    remember: async ({ service: { idScope }, registrationId, evidence }) => {
      const rootKey = bytes(evidence['storageRootKey'])
      const kept = await store.rootKeys.of(idScope, registrationId)
      const settled = kept.length === 1 && kept[0]!.proven && kept[0]!.rootKey.equals(rootKey)
      if (!settled) await store.transact((write) => write.rootKeys.prove(idScope, registrationId, rootKey, clock()))
    },

    group: async () => undefined,

    context: ({ endorsementKey, storageRootKey }) => ({ endorsementKey, storageRootKey }),

    hubCredential: () => ({ type: 'hubKey' }),

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

    deniable: ({ endorsementKey }) => [
      { subject: { endorsementKey }, reason: 'EndorsementKeyRevoked', what: 'the endorsement key' },
    ],

    enrollment: tpmEnrollment,
    claim: tpmMember,
    sasl: tpmSasl,
    state: ({ authenticationKey }) => (authenticationKey === undefined ? undefined : { authenticationKey }),
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
function nonce(owner: string, generation: number, secret: Secret): Secret {
  return new Secret(secret.hmac(`${owner}\0${generation}`))
}

/** Whose a nonce is: of one registration, and of one storage root key, which changes when the TPM is cleared. [device-wire §5.6] */
function nonceOwner({ service, registrationId }: Presented, endorsementKey: Buffer, rootKey: Buffer): string {
  return [service.idScope, registrationKey(registrationId), digest(endorsementKey), digest(rootKey)].join('\0')
}

const noRootKey = Buffer.alloc(0)

/** Those that the device presented before, and as many in all whoever asks: the time of the answer tells nothing of them. */
async function keptRootKeys(
  { service, registrationId }: Presented,
  store: Pick<Store, 'rootKeys'>,
): Promise<readonly Buffer[]> {
  const kept = (await store.rootKeys.of(service.idScope, registrationId)).map(({ rootKey }) => rootKey)
  return [...kept, ...Array.from({ length: rootKeysKept - kept.length }, () => noRootKey)]
}

/** Keys alone, without a token, ask for the challenge. */
function isChallengeWanted(credential: Credential): boolean {
  return credential.kind === 'claim' && claimOf(credential)?.of === 'tpm'
}

interface SentKeys {
  readonly endorsementKey?: StorageKey
  readonly storageRootKey?: StorageKey
}

const parsed = new WeakMap<TpmKeys, SentKeys>()

/** The keys that came along, read once for each request. */
function sentKeys(credential: Credential): SentKeys {
  const keys = tpmKeysOf(credential)
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

function readKey(bytes: Buffer, reason: 'EndorsementKeyMalformed' | 'StorageRootKeyMalformed'): StorageKey {
  const role = reason === 'EndorsementKeyMalformed' ? 'endorsement key' : 'storage root key'
  try {
    return parseStorageKey(publicOfBytes(bytes, role))
  } catch (error) {
    if (error instanceof MalformedTpmStructure) throw new Refusal(reason, `the ${role}: ${error.message}`)
    throw error
  }
}

function bytes(base64: Evidence[string]): Buffer {
  return Buffer.from(String(base64), 'base64')
}

function digest(key: Buffer): string {
  return createHash('sha256').update(key).digest('hex')
}
