import type { Assignment, Placement } from '../model/registration.ts'
import type { Leftover } from './placing.ts'

/** Milliseconds after which another node's placement that has not ended is taken over. */
export const abandonedAfter = 20_000
/** Milliseconds between two looks at it. */
export const waitForAnother = 250

/**
 * Where a device is after its placement failed: where it was, and what was made for it elsewhere has to go; or, once its old
 * hub may have lost it, at the new one.
 */
export function afterFailure(
  placement: Placement | undefined,
  before: Assignment | undefined,
): { readonly assignment?: Assignment; readonly leftover?: Leftover } {
  if (!placement || placement.kind === 'reset') return { assignment: before }
  const { to, from, phase } = placement
  const { deviceId } = to
  if (phase === 'removing')
    return { assignment: to, leftover: from === undefined ? undefined : { hub: from, deviceId } }
  return { assignment: before, leftover: { hub: to.assignedHub, deviceId } }
}
