import type { ProvisioningService } from '../../model/service.ts'
import type { Clock } from '../../model/timestamp.ts'
import { dayOf } from '../../model/usage.ts'
import type { Store } from '../../store/store.ts'
import type { Route } from './route.ts'

/** A store for the length of one call, and the bill for what the call did. */
export interface Metered {
  /** Counts each transaction that is committed as one operation, as part of that transaction. */
  readonly store: Store
  /** Count so many operations for the whole call, less what is counted; durable when it settles. */
  readonly settle: (operations: number) => Promise<void>
}

/**
 * Count a call's operations exactly: what is written is counted with the write or not at all, what is only read before it is
 * answered, so that neither a crash nor a conflict makes the bill and the records differ. [service-wire §14.2]
 */
export function metered(
  store: Store,
  { idScope }: ProvisioningService,
  { operationName, type }: Pick<Route, 'operationName' | 'type'>,
  clock: Clock,
): Metered {
  let counted = 0
  const usage = (operations: number) => ({ day: dayOf(clock()), kind: `${operationName} ${type}`, operations })
  return {
    store: {
      ...store,
      transact: async (work) => {
        await store.transact((write) => {
          work(write)
          write.usage.add(idScope, usage(1))
        })
        counted++
      },
    },
    settle: async (operations) => {
      const left = operations - counted
      if (left > 0) await store.transact((write) => write.usage.add(idScope, usage(left)))
    },
  }
}
