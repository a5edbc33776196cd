import { Secret } from '../base/secret.ts'
import type { AttestationMechanism } from '../model/enrollment.ts'
import type { Members } from '../model/members.ts'
import type { EnrollmentWords } from './attestation-kind.ts'

/** Two keys of the enrollment, so that one can be renewed while the other is in use. */
export interface SymmetricKeyMechanism extends AttestationMechanism {
  readonly type: 'symmetricKey'
  readonly primaryKey: Secret
  readonly secondaryKey: Secret
}

/** How operators speak of symmetric keys. [service-wire §3.3] */
export const symmetricKeyEnrollment: EnrollmentWords<SymmetricKeyMechanism> = {
  read: (attestation, { stored, newKey }) => {
    const keys = attestation.object('symmetricKey')
    return {
      type: 'symmetricKey',
      primaryKey: readKey(keys, 'primaryKey') ?? stored?.primaryKey ?? newKey(),
      secondaryKey: readKey(keys, 'secondaryKey') ?? stored?.secondaryKey ?? newKey(),
    }
  },
  write: ({ primaryKey, secondaryKey }, secrets) =>
    secrets ? { primaryKey: primaryKey.revealBase64(), secondaryKey: secondaryKey.revealBase64() } : undefined,
  groups: { limit: 'symmetricKeyGroups', called: 'symmetric key' },
}

/** Absent, null and empty are the same: C# writes back `""` for the keys that it was not shown. */
function readKey(keys: Members | undefined, name: 'primaryKey' | 'secondaryKey'): Secret | undefined {
  const text = keys?.text(name)
  if (!keys || !text) return undefined
  const key = Secret.fromBase64(text)
  if (!key || key.length < 16 || key.length > 64) throw keys.refusal(name, 'must be base64 of 16 to 64 bytes')
  return key
}
