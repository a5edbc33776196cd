import { attestationKind, type AttestationKind } from '../attestation/attestation-kind.ts'
import type { FailureBudget } from '../attestation/failure-budget.ts'
import { symmetricKey } from '../attestation/symmetric-key.ts'
import { tpm } from '../attestation/tpm.ts'
import { x509, type CertificatePolicy } from '../attestation/x509.ts'
import type { Clocks } from '../base/time.ts'
import { deploymentKey } from '../store/deployment-key.ts'
import type { Store } from '../store/store.ts'

/** What a kind of attestation is made from. */
export interface AttestationParts extends Clocks {
  readonly store: Store
  /** What attempts that fail may cost. */
  readonly budget: FailureBudget
  readonly certificates: CertificatePolicy
}

/** Makes a kind of attestation; `attestationKind` of src/attestation gives it its place in the list. */
export type AttestationOffer = (parts: AttestationParts) => AttestationKind | Promise<AttestationKind>

/** The kinds of attestation that are offered, in the order in which they are tried. */
export const attestationOffers: readonly AttestationOffer[] = [
  ({ store, clock, budget }) => attestationKind(symmetricKey(store, clock, budget)),
  ({ store, clock, certificates }) => attestationKind(x509(store, clock, certificates)),
  async ({ clock, monotonic, store, budget }) =>
    attestationKind(tpm(store, { clock, monotonic }, await deploymentKey(store, 'tpm-nonce'), budget)),
]
