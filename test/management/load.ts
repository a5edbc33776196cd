/** Workers that do something over and over. */
export interface Load {
  /** Settles when every worker has begun and ended a whole round since; rejects as soon as one fails. */
  readonly turn: () => Promise<void>
  /** Lets the rounds under way end; how many there were. Rejects if one failed. */
  readonly stop: () => Promise<number>
}

/** Begin so many workers; each is given its number, round after round. */
export function underLoad(workers: number, round: (worker: number) => Promise<void>): Load {
  const stopping = new AbortController()
  const rounds = Array.from({ length: workers }, () => 0)
  let changed = Promise.withResolvers<void>()
  const work = async (worker: number) => {
    while (!stopping.signal.aborted) {
      await round(worker)
      rounds[worker]! += 1
      changed.resolve()
      changed = Promise.withResolvers()
    }
  }
  const all = Promise.all(rounds.map((_, worker) => work(worker)))
  all.catch(() => stopping.abort()) // whoever waits is told
  return {
    turn: async () => {
      // The round under way began before; the one after it is whole.
      const wanted = rounds.map((done) => done + 2)
      while (rounds.some((done, worker) => done < wanted[worker]!)) await Promise.race([changed.promise, all])
    },
    stop: async () => {
      stopping.abort()
      await all
      return rounds.reduce((sum, done) => sum + done, 0)
    },
  }
}
