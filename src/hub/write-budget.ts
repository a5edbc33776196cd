import { setTimeout as delay } from 'node:timers/promises'
import { Refusal } from '../model/refusal.ts'
import type { Monotonic } from '../base/time.ts'

/** How fast one hub's registry may be written, as its operator pays for it. */
export interface WriteBudget {
  /** Settles when it is this write's turn; a Refusal if so many wait that it makes no sense to. */
  readonly turn: () => Promise<void>
  /** Milliseconds that one more write would wait. */
  readonly wait: () => number
}

/** Operations that wait remember their devices. */
const mostWaiting = 100_000

/**
 * Writes in the order they come, as many a minute as allowed and never slower while any wait. A hub that stood idle for a
 * while takes ten seconds' worth at once.
 */
export function writeBudget(hostName: string, perMinute: number, monotonic: Monotonic): WriteBudget {
  const interval = 60_000 / perMinute
  const burst = Math.max(10_000, interval)
  let due = -Infinity
  let waiting = 0
  const wait = () => Math.max(0, Math.max(due, monotonic() - burst) + interval - monotonic())
  return {
    wait,
    turn: async () => {
      const pause = wait()
      if (waiting >= mostWaiting) {
        const retryAfter = Math.ceil(pause / 1000)
        throw new Refusal('HubUnavailable', `${hostName}: ${waiting} writes wait for their turn`, { retryAfter })
      }
      due = Math.max(due, monotonic() - burst) + interval
      waiting++
      if (pause > 0) await delay(pause, undefined, { ref: false })
      waiting--
    },
  }
}
