import type { Monotonic } from '../base/time.ts'

/** How many of a name are told of singly in a minute. */
export interface Tally {
  readonly name: string
  readonly most: number
}

/** Tells of what happens one by one while it is little, and of the rest by its number: a flood must not drown what is told. */
export interface Sampler<T> extends Disposable {
  /**
   * Tell of it now and return true, if none of its tallies is full this minute; else count it. What was counted under the first
   * tally is told together, by the last of it, when the minute ends. `kind` stands in for a tally when there are too many of them to remember.
   */
  readonly take: (item: T, kind: string, tallies: readonly [Tally, ...Tally[]]) => boolean
  /** Tell now of what was counted until now. */
  readonly flush: () => void
}

export interface SamplerOptions<T> {
  readonly monotonic: Monotonic
  /** Hears of one, and of how many more of its kind were counted only. */
  readonly told: (item: T, alike: number) => void
  /** Tallies that are remembered at once: strangers can make up any number. */
  readonly mostTallies: number
}

const minute = 60_000
/** Of what was counted, this many are told of by tally; the others by kind. */
const mostToldTogether = 50

/** A sampler. Its timer keeps no process alive; disposing it tells of what was counted. */
export function sampler<T>({ monotonic, told, mostTallies }: SamplerOptions<T>): Sampler<T> {
  const seen = new Map<string, number>()
  const counted = new Map<string, Counted<T>>()
  let began = monotonic()
  let timer: NodeJS.Timeout | undefined

  function take(item: T, kind: string, tallies: readonly [Tally, ...Tally[]]): boolean {
    if (monotonic() - began >= minute) renew()
    const known = tallies.map(({ name, most }) => ({ most, name: remembered(seen, name, kind) }))
    if (known.some(({ name, most }) => (seen.get(name) ?? 0) >= most)) {
      count(item, kind, tallies[0].name)
      return false
    }
    for (const { name } of known) seen.set(name, (seen.get(name) ?? 0) + 1)
    told(item, 0)
    return true
  }

  function count(last: T, kind: string, name: string): void {
    const key = remembered(counted, name, kind)
    counted.set(key, { kind, last, times: (counted.get(key)?.times ?? 0) + 1 })
    timer ??= setTimeout(renew, minute - (monotonic() - began)).unref()
  }

  function renew(): void {
    began = monotonic()
    seen.clear()
    flush()
  }

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    const most = [...counted.values()].toSorted((a, b) => b.times - a.times)
    counted.clear()
    const together = new Map<string, Counted<T>>()
    for (const one of most.slice(mostToldTogether)) {
      together.set(one.kind, { ...one, times: one.times + (together.get(one.kind)?.times ?? 0) })
    }
    for (const { last, times } of [...most.slice(0, mostToldTogether), ...together.values()]) told(last, times - 1)
  }

  function remembered(tallies: ReadonlyMap<string, unknown>, name: string, kind: string): string {
    return tallies.has(name) || tallies.size < mostTallies ? name : kind
  }

  return { take, flush, [Symbol.dispose]: flush }
}

interface Counted<T> {
  readonly kind: string
  readonly last: T
  readonly times: number
}
