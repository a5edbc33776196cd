/** What a bucket takes: so many a second for good, and `most` at once. */
export interface Rate {
  readonly perSecond: number
  /** Infinity: there is no limit. */
  readonly most: number
}

/** Counts what happened lately. The rate is said each time, because it depends on who asks; moments are monotonic milliseconds. */
export class LeakyBucket {
  #level = 0
  #at = 0

  /** One more has happened, whether there was room for it or not. */
  pour(now: number, rate: Rate): void {
    // Nobody is shut out for longer than it takes to empty one full bucket.
    this.#level = Math.min(this.#levelAt(now, rate) + 1, rate.most)
    this.#at = now
  }

  /** True if one more would be too many. */
  isFull(now: number, rate: Rate): boolean {
    return this.#levelAt(now, rate) + 1 > rate.most
  }

  #levelAt(now: number, { perSecond }: Rate): number {
    return Math.max(0, this.#level - ((now - this.#at) / 1000) * perSecond)
  }
}
