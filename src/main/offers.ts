import type { AllocationPolicies } from '../allocation/allocate.ts'
import type { AllocationPolicy } from '../allocation/allocation.ts'
import type { AttestationKind } from '../attestation/attestation-kind.ts'
import type { FailureBudget } from '../attestation/failure-budget.ts'
import type { CertificatePolicy } from '../attestation/x509.ts'
import type { Clocks, Monotonic } from '../base/time.ts'
import type { Offered } from '../enrollment/enrolling-instance.ts'
import type { Store } from '../store/store.ts'
import type { Configuration } from './configuration.ts'

/** What a kind of attestation is made from. */
export interface AttestationParts extends Clocks {
  readonly store: Store
  /** What attempts that fail may cost. */
  readonly budget: FailureBudget
  readonly certificates: CertificatePolicy
}

/** Makes a kind of attestation; `attestationKind` of src/attestation gives it its place among the others. */
export type AttestationOffer = (parts: AttestationParts) => AttestationKind | Promise<AttestationKind>

/** What an allocation policy is made from. */
export interface AllocationParts {
  readonly configuration: Configuration
  /** The data folder. */
  readonly data: string
  readonly monotonic: Monotonic
  /** Milliseconds from this node to a hub and back, as last measured. */
  readonly latencyOf: (hub: { readonly hostName: string }) => number | undefined
  /** What is offered to enrollments, once all of it is made. */
  readonly offered: () => Offered
  /** The policies that stand before this one in the list. */
  readonly others: AllocationPolicies
  /** Takes what has to be closed with the service. */
  readonly closing: Pick<AsyncDisposableStack, 'use'>
}

/** Makes an allocation policy. */
export type AllocationOffer = (parts: AllocationParts) => AllocationPolicy
