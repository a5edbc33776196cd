import type { SymmetricKeyMechanism } from '../model/enrollment.ts'
import { registrationKey } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import { sameBytes, Secret } from '../model/secret.ts'
import type { Clock } from '../model/timestamp.ts'
import type { Reader } from '../store/store.ts'
import { expectedSignature, type SasToken } from '../wire/sas-token.ts'
import type { AttestationKind, Presented } from './attestation.ts'
import { presentedToken } from './token.ts'

/** Shared access signatures made with an enrollment's key, or with a key derived from a group's. [device-wire §6] */
export function symmetricKey(store: Reader, clock: Clock): AttestationKind<SymmetricKeyMechanism> {
  return {
    type: 'symmetricKey',
    reads: (credential) => credential.kind === 'token',

    individual: async (presented, mechanism) => {
      const token = presentedToken(presented, clock)
      if (signedBy(token, mechanism.primaryKey) || signedBy(token, mechanism.secondaryKey)) return { evidence: {} }
      throw new Refusal('TokenSignatureInvalid', 'the token was signed with neither key of the individual enrollment')
    },

    group: async (presented) => {
      const { service, trail } = presented
      const token = presentedToken(presented, clock)
      const groups = await store.enrollmentGroups.withAttestation(service.idScope, 'symmetricKey')
      const spellings = await spellingsOf(presented, store)
      for (const group of groups) {
        const { attestation, enrollmentGroupId } = group
        if (attestation.type !== 'symmetricKey') continue
        for (const spelling of spellings) {
          const keys = derivedKeys(attestation, spelling)
          if (signedBy(token, keys.primaryKey) || signedBy(token, keys.secondaryKey)) {
            return { group, evidence: { derivedFrom: spelling } }
          }
        }
        if (signedBy(token, attestation.primaryKey) || signedBy(token, attestation.secondaryKey)) {
          throw new Refusal(
            'TokenSignedWithGroupKey',
            `the token was signed with a key of the group ${enrollmentGroupId} itself; derive the device's key from it`,
          )
        }
        trail.note({
          step: 'candidate',
          enrollment: enrollmentGroupId,
          found: 'group, symmetricKey: neither derived key signed the token',
        })
      }
      if (groups.length === 0) return undefined
      throw new Refusal(
        'TokenSignatureInvalid',
        `there is no individual enrollment, and none of ${groups.length} symmetric key groups has a key that signed the token`,
      )
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
  }
}

/** `HMAC-SHA256(group key, registration ID as UTF-8)`. [device-wire §6.3] */
export function deriveDeviceKey(groupKey: Secret, registrationId: string): Secret {
  return new Secret(groupKey.hmac(registrationId))
}

function derivedKeys({ primaryKey, secondaryKey }: SymmetricKeyMechanism, registrationId: string) {
  return {
    primaryKey: deriveDeviceKey(primaryKey, registrationId),
    secondaryKey: deriveDeviceKey(secondaryKey, registrationId),
  }
}

/**
 * IDs are compared without regard to case, keys are not: whoever derived the key may have used the ID as the device sends it,
 * in lower case, or as it was first registered. [device-wire §6.3]
 */
async function spellingsOf({ service, registrationId }: Presented, store: Reader): Promise<ReadonlySet<string>> {
  const spellings = new Set([registrationId, registrationKey(registrationId)])
  if (spellings.size > 1) {
    const registration = await store.registrations.get(service.idScope, registrationId)
    if (registration) spellings.add(registration.registrationId)
  }
  return spellings
}

function signedBy(token: SasToken, key: Secret): boolean {
  return sameBytes(token.signature, expectedSignature(token, key))
}
