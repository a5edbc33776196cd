import { Secret } from '../base/secret.ts'
import type { AttestationMechanism } from '../model/enrollment.ts'
import type { Members } from '../model/members.ts'
import { MalformedTpmStructure } from '../wire/tpm/reader.ts'
import { parseStorageKey } from '../wire/tpm/storage-key.ts'
import type { EnrollmentWords } from './attestation-kind.ts'

/** A TPM is known by its endorsement key: TPM2B_PUBLIC, base64. */
export interface TpmMechanism extends AttestationMechanism {
  readonly type: 'tpm'
  readonly endorsementKey: string
  readonly storageRootKey?: string
}

/** How operators speak of TPMs. [service-wire §3.3] */
export const tpmEnrollment: EnrollmentWords<TpmMechanism> = {
  read: (attestation, { kind }) => {
    if (kind === 'group') throw attestation.refusal('type', 'tpm is for individual enrollments only')
    const tpm = attestation.object('tpm')
    const endorsementKey = tpm && readStorageKey(tpm, 'endorsementKey')
    if (!endorsementKey) throw attestation.refusal('tpm.endorsementKey', 'is required')
    const storageRootKey = readStorageKey(tpm, 'storageRootKey')
    return { type: 'tpm', endorsementKey, ...(storageRootKey !== undefined && { storageRootKey }) }
  },
  write: ({ endorsementKey, storageRootKey }) => ({ endorsementKey, storageRootKey }),
  queried: { endorsementKey: 'value', storageRootKey: 'value' },
}

function readStorageKey(tpm: Members, name: 'endorsementKey' | 'storageRootKey'): string | undefined {
  const text = tpm.text(name)
  if (!text) return undefined
  try {
    parseStorageKey(Secret.fromBase64(text)?.reveal() ?? Buffer.alloc(0))
    return text
  } catch (error) {
    if (!(error instanceof MalformedTpmStructure)) throw error
    throw tpm.refusal(name, 'is not base64 of the TPM2B_PUBLIC of an RSA storage key')
  }
}
