import { settledClock } from '../model/clock-jump.ts'
import type { Decision } from '../model/decision.ts'
import type { IdScope } from '../model/identifiers.ts'
import type { Clocks } from '../model/timestamp.ts'
import type { Store } from '../store/store.ts'

/** For how long, and how many, decision records are kept. */
export interface Retention {
  /** Milliseconds. */
  readonly age: number
  /** Per instance. */
  readonly count: number
}

/** Takes decision records and writes them a little later, so that no device waits for them. */
export interface DecisionJournal extends AsyncDisposable {
  /** Never waits and never throws. When more come than can be written, the newest are lost, and counted. */
  readonly record: (decision: Decision) => void
  /** How many were lost since the start. */
  readonly lost: () => number
  /** Settles when everything recorded so far is in the store. */
  readonly written: () => Promise<void>
}

/** Records of attempts at an ID scope that nobody has: strangers can fill this much, and no instance's share. */
export const unattributed: IdScope = ''
const mostUnattributed = 1000

/** Milliseconds that records wait for company. */
const pause = 200
/** More in one transaction would hold up the registrations that are committed with it. */
const batch = 50
const mostWaiting = 20_000
const sweepEvery = 60 * 60 * 1000

/** A journal in the store. What cannot be written is reported and lost: decisions are told, registrations are kept. */
export function decisionJournal(
  store: Store,
  retention: Retention,
  { clock, monotonic }: Clocks,
  onFault: (fault: unknown) => void,
): DecisionJournal {
  const waiting: Decision[] = []
  /** Records written since an instance's were last counted; absent: not counted yet in this run. */
  const since = new Map<IdScope, number>()
  let lost = 0
  const settled = settledClock(clock, monotonic, sweepEvery)
  let sweptAt = -Infinity
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> | undefined
  /** The batch that is being written. */
  let current: Promise<void> | undefined
  let closed = false
  let taken = 0
  let handled = 0

  function write(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    writing ??= drain().finally(() => {
      writing = undefined
      if (waiting.length > 0) timer ??= setTimeout(() => void write(), pause)
    })
    return writing
  }

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      current = settle(waiting.splice(0, batch))
      await current
    }
  }

  async function settle(decisions: readonly Decision[]): Promise<void> {
    try {
      await add(decisions)
    } catch (error) {
      lost += decisions.length
      onFault(error)
    }
    handled += decisions.length
  }

  async function add(decisions: readonly Decision[]): Promise<void> {
    const owned = await Promise.all(decisions.map(async (decision) => ({ decision, of: await owner(decision) })))
    const full = new Set<IdScope>()
    for (const { of } of owned) {
      const written = since.get(of)
      since.set(of, (written ?? 0) + 1)
      // Counting costs more than writing, so an instance may have a tenth too many for a while.
      if (written === undefined || written > boundOf(of) / 10) full.add(of)
    }
    const due = monotonic() - sweptAt > sweepEvery
    if (due) sweptAt = monotonic()
    const scopes = due ? new Set([...full, ...(await everyScope())]) : full
    const now = settled()
    const oldest = now === undefined ? 0 : now - retention.age
    await store.transact((writer) => {
      for (const { of, decision } of owned) writer.decisions.add(of, decision)
      for (const of of scopes) writer.decisions.keep(of, { since: oldest, count: boundOf(of) })
    })
    for (const of of scopes) since.set(of, 0)
  }

  async function owner({ idScope }: Decision): Promise<IdScope> {
    return (await store.services.byIdScope(idScope)) ? idScope : unattributed
  }

  function boundOf(idScope: IdScope): number {
    return idScope === unattributed ? Math.min(mostUnattributed, retention.count) : retention.count
  }

  async function everyScope(): Promise<IdScope[]> {
    const scopes = [unattributed]
    for (;;) {
      const next = await store.decisions.scopeAfter(scopes.at(-1)!)
      if (next === undefined) return scopes
      scopes.push(next)
    }
  }

  /** Of what was taken until now: more may come all the time. */
  async function written(): Promise<void> {
    const until = taken
    const behind = () => handled < until
    while (behind()) {
      void write()
      await current
    }
  }

  return {
    record: (decision) => {
      if (closed || waiting.length >= mostWaiting) {
        lost++
        return
      }
      waiting.push(decision)
      taken++
      // The next drain takes it along.
      if (!writing) timer ??= setTimeout(() => void write(), pause)
    },
    lost: () => lost,
    written,
    [Symbol.asyncDispose]: () => {
      closed = true
      return written()
    },
  }
}
