/** UTC as the service writes it: `2026-02-03T04:05:06.1230000Z`, seven fractional digits, always `Z`. Sorts as text. */
export type Timestamp = string & { readonly shape?: 'timestamp' }

/** A moment (milliseconds since 1970) as a Timestamp. */
export function timestamp(moment: number): Timestamp {
  return new Date(moment).toISOString().slice(0, -1) + '0000Z'
}

/** The time now, in milliseconds since 1970. Passed in, so that tests can hold it still. */
export type Clock = () => number
