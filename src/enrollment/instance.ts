import type { MechanismKinds } from '../attestation/attestation-kind.ts'
import type { IdScope } from '../model/identifiers.ts'
import type { Clock } from '../base/time.ts'
import type { Store } from '../store/store.ts'
import type { EnrollmentRules } from './rules.ts'

/** The one provisioning service instance whose enrollments are read and written. */
export interface Instance {
  readonly idScope: IdScope
  readonly store: Store
  readonly clock: Clock
  readonly rules: EnrollmentRules
  /** The kinds of attestation that are offered. */
  readonly kinds: MechanismKinds
}
