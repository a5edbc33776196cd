import { randomBytes } from 'node:crypto'
import { registrationKey } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import { Secret } from '../base/secret.ts'
import type { Clock } from '../base/time.ts'
import type { Reader } from '../store/store.ts'
import type { AttestationKind } from './attestation-kind.ts'
import type { FailureBudget } from './failure-budget.ts'
import { deriveDeviceKey, groupSearch, signedBy } from './group-search.ts'
import { keyMistake } from './key-mistakes.ts'
import { symmetricKeyEnrollment, type SymmetricKeyMechanism } from './symmetric-key-mechanism.ts'
import { presentedToken } from './token.ts'

/** Shared access signatures made with an enrollment's key, or with a key derived from a group's. [device-wire §6] */
export function symmetricKey(
  store: Reader,
  clock: Clock,
  budget: FailureBudget,
): AttestationKind<SymmetricKeyMechanism> {
  const search = groupSearch(store, budget)
  return {
    type: 'symmetricKey',
    reads: (credential) => credential.kind === 'token',
    check: (presented) => void presentedToken(presented, clock),
    decoy: {
      type: 'symmetricKey',
      primaryKey: new Secret(randomBytes(32)),
      secondaryKey: new Secret(randomBytes(32)),
    },

    individual: async (presented, mechanism) => {
      const token = presentedToken(presented, clock)
      if (signedBy(token, mechanism.primaryKey) || signedBy(token, mechanism.secondaryKey)) return { evidence: {} }
      throw new Refusal('TokenSignatureInvalid', 'the token was signed with neither key of the individual enrollment', {
        diagnose: () => keyMistake(presented, token, mechanism, store),
      })
    },

    group: async (presented) => {
      const vouched = await search(presented, presentedToken(presented, clock))
      return vouched && { group: vouched.group, evidence: { derivedFrom: vouched.derivedFrom } }
    },

    knownCredentials: (mechanism, member) => {
      const { primaryKey, secondaryKey } = mechanism
      if (member === undefined) return [{ type: 'sas', primaryKey, secondaryKey }]
      const spellings = [...new Set([member, registrationKey(member)])]
      return spellings.map((spelling) => ({ type: 'sas', ...derivedKeys(mechanism, spelling) }))
    },

    // The published sample shows an empty object. [service-wire §9.3]
    context: () => ({}),

    hubCredential: (mechanism, { derivedFrom }) =>
      typeof derivedFrom === 'string'
        ? { type: 'sas', ...derivedKeys(mechanism, derivedFrom) }
        : { type: 'sas', primaryKey: mechanism.primaryKey, secondaryKey: mechanism.secondaryKey },

    enrollment: symmetricKeyEnrollment,

    // A device with an enrollment of its own is shown no object. [device-wire §11.19]
    state: ({ enrollmentGroupId }) => (enrollmentGroupId === undefined ? undefined : { enrollmentGroupId }),
  }
}

function derivedKeys({ primaryKey, secondaryKey }: SymmetricKeyMechanism, registrationId: string) {
  return {
    primaryKey: deriveDeviceKey(primaryKey, registrationId),
    secondaryKey: deriveDeviceKey(secondaryKey, registrationId),
  }
}
