import type { IdScope } from '../model/identifiers.ts'
import type { ProvisioningService } from '../model/service.ts'
import type { Clock } from '../base/time.ts'
import { dayOf } from '../model/usage.ts'
import { Refusal } from '../model/refusal.ts'
import type { Usage } from '../model/usage.ts'
import type { Store } from '../store/store.ts'

/** A store for the length of one call, and the bill for what the call did. */
export interface Metered {
  /** Counts each transaction that is committed as one operation, as part of that transaction. */
  readonly store: Store
  /** Count so many operations for the whole call, less what is counted; durable when it settles. */
  readonly settle: (operations: number) => Promise<void>
}

/** Reads that were answered while the store could not write: they are counted as soon as it can, unless the process ends before. */
export interface Owed {
  /** While something is owed, nobody waits for the store to find out whether it can write. */
  readonly any: () => boolean
  readonly add: (idScope: IdScope, usage: Usage) => void
}

/** Milliseconds until what is owed is offered again. */
const pause = 5000

/** What is owed to this store. */
export function owedUsage(store: Store): Owed {
  const owed = new Map<string, { readonly idScope: IdScope; readonly usage: Usage }>()
  let paying: Promise<void> | undefined

  function add(idScope: IdScope, usage: Usage): void {
    const key = [idScope, usage.day, usage.kind].join('\0')
    const operations = (owed.get(key)?.usage.operations ?? 0) + usage.operations
    owed.set(key, { idScope, usage: { ...usage, operations } })
  }

  async function pay(): Promise<void> {
    const due = [...owed.values()]
    owed.clear()
    try {
      await store.transact((write) => due.forEach(({ idScope, usage }) => write.usage.add(idScope, usage)))
    } catch {
      for (const { idScope, usage } of due) add(idScope, usage)
      setTimeout(begin, pause).unref()
    }
  }

  function begin(): void {
    paying ??= pay().finally(() => (paying = undefined))
  }

  return {
    any: () => owed.size > 0 || paying !== undefined,
    add: (idScope, usage) => {
      const first = owed.size === 0
      add(idScope, usage)
      if (first) begin()
    },
  }
}

/**
 * Count a call's operations exactly: what is written is counted with the write or not at all, what is only read before it is
 * answered, so that neither a crash nor a conflict makes the bill and the records differ. What is read while nothing can be
 * written is answered all the same, and owed. `kind` is what the bill calls the call. [service-wire §14.2]
 */
export function metered(
  { store, owed }: { readonly store: Store; readonly owed: Owed },
  { idScope }: ProvisioningService,
  kind: string,
  clock: Clock,
): Metered {
  let counted = 0
  const usage = (operations: number) => ({ day: dayOf(clock()), kind, operations })
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
      if (left <= 0) return
      if (owed.any()) return owed.add(idScope, usage(left))
      try {
        await store.transact((write) => write.usage.add(idScope, usage(left)))
      } catch (error) {
        if (!Refusal.isOfStore(error)) throw error
        owed.add(idScope, usage(left))
      }
    },
  }
}
