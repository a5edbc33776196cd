import { setTimeout as delay } from 'node:timers/promises'
import { Refusal } from '../model/refusal.ts'
import type { Monotonic } from '../base/time.ts'

/** How long, and until when, an unavailable hub is waited for. */
export interface Patience {
  /** No attempt but the first is made after this moment of `monotonic`. */
  readonly until: number
  readonly monotonic: Monotonic
  /** A number in [0, 1), so that many who wait do not come back at once. */
  readonly random: () => number
}

const first = 200
const longest = 5000

/**
 * Attempt until it succeeds, is refused for a lasting reason, or patience ends: waiting as long as the hub asks, else
 * exponentially longer, with jitter. Whatever is thrown that is not a Refusal counts as no answer.
 */
export async function withBackoff<T>({ until, monotonic, random }: Patience, attempt: () => Promise<T>): Promise<T> {
  for (let wait = first; ; wait = Math.min(wait * 2, longest)) {
    try {
      return await attempt()
    } catch (error) {
      const refusal =
        error instanceof Refusal ? error : new Refusal('HubUnavailable', `no answer from the hub: ${error}`)
      if (refusal.reason !== 'HubUnavailable') throw refusal
      const pause = refusal.retryAfter
        ? refusal.retryAfter * 1000 + wait * random() // those who were told the same do not come back as one
        : wait * (0.5 + random())
      if (monotonic() + pause > until) throw refusal
      await delay(pause, undefined, { ref: false })
    }
  }
}
