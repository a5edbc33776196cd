import type { AttestationMechanism } from '../model/enrollment.ts'
import type { EnrollmentWords } from './attestation-kind.ts'
import { readTpmKey } from './tpm-claim.ts'

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
    const endorsementKey = tpm && readTpmKey(tpm, 'endorsementKey')?.toString('base64')
    if (!endorsementKey) throw attestation.refusal('tpm.endorsementKey', 'is required')
    const storageRootKey = readTpmKey(tpm, 'storageRootKey')?.toString('base64')
    return { type: 'tpm', endorsementKey, ...(storageRootKey !== undefined && { storageRootKey }) }
  },
  write: ({ endorsementKey, storageRootKey }) => ({ endorsementKey, storageRootKey }),
  queried: { endorsementKey: 'value', storageRootKey: 'value' },
}
