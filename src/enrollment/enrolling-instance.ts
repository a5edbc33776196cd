import type { AllocationPolicy } from '../allocation/allocation.ts'
import type { MechanismKinds } from '../attestation/attestation-kind.ts'
import type { IdScope } from '../model/identifiers.ts'
import type { Clock } from '../base/time.ts'
import type { Store } from '../store/store.ts'
import type { EnrollmentRules } from './enrollment-rules.ts'

/** What is offered to enrollments. */
export interface Offered {
  /** The kinds of attestation. */
  readonly kinds: MechanismKinds
  /** The allocation policies, by their names. */
  readonly policies: Readonly<Record<string, Pick<AllocationPolicy, 'name' | 'definition'>>>
}

/** The one provisioning service instance whose enrollments are read and written. */
export interface EnrollingInstance extends Offered {
  readonly idScope: IdScope
  readonly store: Store
  readonly clock: Clock
  readonly rules: EnrollmentRules
}
