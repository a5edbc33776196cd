import type { Brand } from './brand.ts'

/** UTC as the service writes it: `2026-02-03T04:05:06.1230000Z`, seven fractional digits, always `Z`. Sorts as text. */
export type Timestamp = string & Brand<'timestamp'>

/** A moment (milliseconds since 1970) as a Timestamp. */
export function timestamp(moment: number): Timestamp {
  return (new Date(moment).toISOString().slice(0, -1) + '0000Z') as Timestamp
}

/**
 * The time now, in milliseconds since 1970. Passed in, so that tests can hold it still. It may be set, forwards or back, at any
 * moment: only what leaves the process, is stored, or is compared with either goes by it.
 */
export type Clock = () => number

/**
 * Milliseconds since some moment of this process, which nobody can set: for whatever is an interval. Its values mean nothing
 * outside of the process, and nothing beside those of a Clock.
 */
export type Monotonic = () => number

/** Both, where moments are told and intervals measured. */
export interface Clocks {
  readonly clock: Clock
  readonly monotonic: Monotonic
}
