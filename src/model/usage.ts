/** Billable operations of one kind on one day. [service-wire §14.2] */
export interface Usage {
  /** UTC, `2031-03-02`. */
  readonly day: string
  /** `Register`, or what was done and to what: `Upsert IndividualEnrollment`. */
  readonly kind: string
  readonly operations: number
}

/** A device's registration that succeeded at this moment. */
export function oneRegistration(moment: number): Usage {
  return { day: dayOf(moment), kind: 'Register', operations: 1 }
}

/** The day of a moment (milliseconds since 1970), UTC. */
export function dayOf(moment: number): string {
  return new Date(moment).toISOString().slice(0, 10)
}
