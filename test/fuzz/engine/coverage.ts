import { Session, type Profiler } from 'node:inspector'

/** What ran, as V8 counts it: blocks of the sources under a folder. */
export interface Coverage {
  /** Count from zero. */
  readonly reset: () => void
  /** Whether any of what so many inputs did is new, and how much they did; counts from zero again. */
  readonly look: (inputs: number) => { readonly isNew: boolean; readonly work: number }
  /** As `look`, for one input; what was counted is not new any more. */
  readonly learn: () => boolean
  /** Everything is new again. */
  readonly forget: () => void
  readonly stop: () => void
}

type Span = readonly [start: number, end: number]

/**
 * Count blocks from now on. Modules have to be loaded afterwards, or they are counted by function only. New is what was never
 * learned: a function, a block inside one, or the next power of two of how often a function ran.
 */
export function countBlocks(folder: string): Coverage {
  const session = new Session()
  session.connect()
  const post = <T>(method: string, parameters = {}): T => {
    let result: T | undefined
    // Answered before `post` returns: the inspector of the same thread.
    session.post(method, parameters, (error, answer) => {
      if (error) throw error
      result = answer as T
    })
    return result as T
  }
  post('Profiler.enable')
  post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  const learned = new Map<string, { missed: readonly Span[]; often: number }>()

  const counted = (): Profiler.ScriptCoverage[] =>
    post<Profiler.TakePreciseCoverageReturnType>('Profiler.takePreciseCoverage').result.filter(({ url }) =>
      url.startsWith(folder),
    )

  const weigh = (inputs: number, learning: boolean): { isNew: boolean; work: number } => {
    let isNew = false
    let work = 0
    for (const { url, functions } of counted()) {
      for (const { ranges } of functions) {
        const [whole] = ranges
        if (!whole?.count) continue
        for (const { count } of ranges) work += count
        const key = `${url}:${whole.startOffset}`
        const missed = ranges.flatMap((range): Span[] => (range.count === 0 ? [spanOf(range)] : []))
        const often = Math.floor(Math.log2(whole.count / inputs))
        const before = learned.get(key)
        const still = before ? overlap(before.missed, missed) : missed
        if (!before || lengthOf(still) < lengthOf(before.missed) || often > before.often) isNew = true
        if (learning) learned.set(key, { missed: still, often: Math.max(often, before?.often ?? 0) })
      }
    }
    return { isNew, work }
  }

  return {
    reset: () => void counted(),
    look: (inputs) => weigh(inputs, false),
    learn: () => weigh(1, true).isNew,
    forget: () => learned.clear(),
    stop: () => {
      post('Profiler.stopPreciseCoverage')
      session.disconnect()
    },
  }
}

function spanOf({ startOffset, endOffset }: Profiler.CoverageRange): Span {
  return [startOffset, endOffset]
}

function overlap(one: readonly Span[], other: readonly Span[]): readonly Span[] {
  return one.flatMap(([start, end]) =>
    other.flatMap(([from, to]): Span[] => {
      const both: Span = [Math.max(start, from), Math.min(end, to)]
      return both[0] < both[1] ? [both] : []
    }),
  )
}

function lengthOf(spans: readonly Span[]): number {
  return spans.reduce((sum, [start, end]) => sum + end - start, 0)
}
