import { Refusal } from '../model/refusal.ts'
import { tellRefused, type Standing } from '../base/peer.ts'

/** Tell whoever bounds connections what was thrown at a request on this one, if it is a refusal that counts against it. */
export function tellFailure(standing: Standing | undefined, thrown: unknown): void {
  if (thrown instanceof Refusal) tellRefused(standing, thrown.status)
}
