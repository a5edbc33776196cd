import type { Monotonic } from '../../base/time.ts'
import type { TurnAwayCause } from './bounds.ts'

/** What was turned away for one cause since it was last told. */
export interface TurnedAway {
  readonly cause: TurnAwayCause
  readonly times: number
  /** Where the latest came from; undefined if that was not known yet. */
  readonly address: string | undefined
}

/** Milliseconds between two lines about the same cause. */
const tellEvery = 60_000

/** Counts what is turned away, and tells of each cause at once and then not more than once a minute. */
export function turnedAway(monotonic: Monotonic, tell: (told: TurnedAway) => void) {
  const totals = new Map<TurnAwayCause, number>()
  const untold = new Map<TurnAwayCause, { times: number; address: string | undefined }>()
  const toldAt = new Map<TurnAwayCause, number>()
  return {
    note: (cause: TurnAwayCause, address: string | undefined): void => {
      totals.set(cause, (totals.get(cause) ?? 0) + 1)
      untold.set(cause, { times: (untold.get(cause)?.times ?? 0) + 1, address })
    },
    tellWhatIsDue: (): void => {
      const now = monotonic()
      for (const [cause, { times, address }] of untold) {
        if (now - (toldAt.get(cause) ?? -Infinity) < tellEvery) continue
        untold.delete(cause)
        toldAt.set(cause, now)
        tell({ cause, times, address })
      }
    },
    totals: totals as ReadonlyMap<TurnAwayCause, number>,
  }
}
