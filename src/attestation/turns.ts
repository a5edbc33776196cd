import { Refusal } from '../model/refusal.ts'

/** Runs work one piece after another for each key, in the order it comes; refuses with Throttled while too much waits. */
export type Turns = <T>(key: string, work: () => Promise<T>) => Promise<T>

const mostWaiting = 1000
/** Seconds. */
const comeBack = 10

/** One turn after another: work that is long takes no more of the CPU at once for being asked for often. */
export function turns(): Turns {
  const lines = new Map<string, { last: Promise<unknown>; length: number }>()
  return async (key, work) => {
    const line = lines.get(key) ?? { last: Promise.resolve(), length: 0 }
    if (line.length >= mostWaiting) {
      throw new Refusal('Throttled', `${line.length} devices wait for their group to be found`, {
        retryAfter: comeBack,
      })
    }
    lines.set(key, line)
    line.length++
    const mine = line.last.then(work)
    line.last = mine.catch(() => {})
    try {
      return await mine
    } finally {
      if (--line.length === 0) lines.delete(key)
    }
  }
}
