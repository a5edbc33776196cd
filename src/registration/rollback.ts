import type { Assignment, Placement } from '../model/registration.ts'
import type { Clocks } from '../base/time.ts'
import type { Orphan } from './orphans.ts'

/** Milliseconds after which another node's placement that has not ended is taken over. */
const abandonedAfter = 20_000
/** Milliseconds between two looks at it. */
export const waitForAnother = 250

/**
 * Where a device is after its placement failed: where it was, and what was made for it elsewhere has to go; or, once its old
 * hub may have lost it, at the new one.
 */
export function rollback(
  placement: Placement | undefined,
  before: Assignment | undefined,
): { readonly assignment?: Assignment | undefined; readonly orphan?: Orphan | undefined } {
  if (!placement || placement.kind === 'reset') return { assignment: before }
  const { to, from, phase } = placement
  const { deviceId } = to
  if (phase === 'removing') return { assignment: to, orphan: from === undefined ? undefined : { hub: from, deviceId } }
  return { assignment: before, orphan: { hub: to.assignedHub, deviceId } }
}

/**
 * Whether another's placement has not gone on for so long that its node must be taken for dead: by the moment it wrote down, or,
 * because its clock and ours may be set, by having stood there all the while that this caller looked at it.
 */
export function abandonment({ clock, monotonic }: Clocks): (placement: Placement | undefined) => boolean {
  let seen: { readonly what: string; readonly at: number } | undefined
  return (placement) => {
    if (!placement) return true
    const what = `${placement.operationId} ${placement.phase}`
    if (seen?.what !== what) seen = { what, at: monotonic() }
    return clock() - placement.since >= abandonedAfter || monotonic() - seen.at >= abandonedAfter
  }
}
