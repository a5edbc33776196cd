import { Refusal } from '../model/refusal.ts'
import type { Standing } from '../base/peer.ts'

/**
 * Tell whoever bounds connections that a request on this one was refused, if it counts as a failed attempt: what was to prove
 * something did not, or somebody who has proved nothing sent what cannot be answered. That a limit was met does not count.
 */
export function tellFailure(standing: Standing | undefined, thrown: unknown): void {
  if (!standing || !(thrown instanceof Refusal)) return
  const { status } = thrown
  if (status === 401 || (status < 500 && status !== 429 && !standing.isProven())) standing.failed()
}
