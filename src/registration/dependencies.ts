import type { Allocation } from '../allocation/allocate.ts'
import type { Provers } from '../attestation/attestation-kind.ts'
import type { Hubs } from '../hub/hubs.ts'
import type { Undiagnosed } from '../model/decision.ts'
import type { Clocks } from '../base/time.ts'
import type { Store } from '../store/store.ts'
import type { Step } from './applying.ts'
import type { RegistrationLimits } from './registration-limits.ts'

/** What registration works with. */
export interface RegistrationDependencies extends Clocks {
  readonly store: Store
  readonly attestation: Provers
  readonly allocation: Allocation
  readonly hubs: Hubs
  /** Milliseconds for which an operation, once begun or resumed, waits for a hub that throttles or does not answer. */
  readonly patience: number
  /** Hears of every step of a placement before the next is taken. */
  readonly onStep?: ((step: Step) => Promise<void> | void) | undefined
  /** Milliseconds that a register call may take to be answered with its outcome; after that, `assigning`. 0: always. */
  readonly shortWait: number
  /** What instances and devices may do; absent: anything. */
  readonly limits?: RegistrationLimits
  /** Hears of every attempt, admitted or refused, once it has ended. */
  readonly onDecision: (decision: Undiagnosed) => void
  readonly onFault: (fault: unknown, trackingId: string) => void
}
