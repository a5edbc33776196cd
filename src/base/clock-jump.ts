import type { Clock, Monotonic } from './time.ts'

/** A clock that is set by less than this, in milliseconds, is being kept right: NTP does it all the time. */
const tolerance = 2000

/** Gives, at each call, the milliseconds by which the wall clock was set since the call before; 0 if it only went on. */
export function clockJumps(clock: Clock, monotonic: Monotonic): () => number {
  let offset = clock() - monotonic()
  return () => {
    const before = offset
    offset = clock() - monotonic()
    return Math.abs(offset - before) > tolerance ? offset - before : 0
  }
}

/**
 * A clock for deleting by age: undefined for `wait` milliseconds after the wall clock was set, because what seems old may be
 * of a minute ago, and the clock may be set back yet.
 */
export function settledClock(clock: Clock, monotonic: Monotonic, wait: number): () => number | undefined {
  const jumped = clockJumps(clock, monotonic)
  let believedFrom = -Infinity
  return () => {
    if (jumped() !== 0) believedFrom = monotonic() + wait
    return monotonic() < believedFrom ? undefined : clock()
  }
}
