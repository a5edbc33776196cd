import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { settledClock } from '../base/clock-jump.ts'
import { diagnosed, shares, type Decision, type DecisionShare, type Undiagnosed } from '../model/decision.ts'
import { registrationKey, type IdScope } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { Clocks } from '../base/time.ts'
import type { Store } from '../store/store.ts'
import { decisionQueue } from './queue.ts'
import { sharedDecision, unattributed, wasAccepted, type Shared, acceptedDecision } from './share.ts'
import { sampler } from './sampler.ts'

/** For how long, and how many, decision records are kept. */
export interface Retention {
  /** Milliseconds. */
  readonly age: number
  /** Per instance, of all shares together. */
  readonly count: number
}

export interface DecisionJournalParts extends Clocks {
  readonly store: Store
  readonly retention: Retention
  /**
   * What is told singly in a minute: of strangers for each reason and address, and ten times as many at an instance; of known
   * devices for each device, reason and address. Accepted attempts always are.
   */
  readonly toldPerMinute: number
  /** Hears of every attempt that is told singly, as it is recorded. */
  readonly onTold: (decision: Decision) => void
  readonly onFault: (fault: unknown) => void
}

/** Takes decision records and writes them a little later, so that no device waits for them. */
export interface DecisionJournal extends AsyncDisposable {
  /**
   * Never waits and never throws. Of a flood some are recorded, and the last says how many it stands for; of those that come
   * faster than they can be written, the newest of the same share are lost, and counted.
   */
  readonly record: (decision: Undiagnosed) => void
  /** How many were lost since the start. */
  readonly lost: () => Readonly<Record<DecisionShare, number>>
  /** How many were counted instead of told singly, since the start, by instance and reason (or outcome, where there is none). */
  readonly counted: () => readonly Counted[]
  /** Settles when everything recorded so far is in the store, or the store cannot write. */
  readonly written: () => Promise<void>
}

export interface Counted {
  readonly idScope: IdScope
  readonly reason: string
  readonly times: number
}

/** What is kept of an instance, in parts of `Retention.count`. */
const kept: Readonly<Record<DecisionShare, number>> = { accepted: 0.5, known: 0.3, stranger: 0.2 }
const mostUnattributed = 1000
const mostTallies = 5000

/** Milliseconds that records wait for company. */
const pause = 200
/** More in one transaction would hold up the registrations that are committed with it. */
const batch = 50
const sweepEvery = 60 * 60 * 1000
/** Milliseconds in which those who ask make what was counted be told once. */
const flushEvery = 10_000

/** A second, and at once after a pause: a twentieth of a core is spent on them at most. */
const diagnosesPerSecond = 4
const mostDiagnoses = 100
/** Milliseconds: a refusal is answered within that. */
const afterAnswer = 100

/** Milliseconds between tries while the store cannot write. */
const longPause = 5000

/**
 * A journal in the store. While that cannot write, records wait; what else cannot be written is reported and lost: decisions
 * are told, registrations are kept.
 */
export function decisionJournal(parts: DecisionJournalParts): DecisionJournal {
  const { store, retention, clock, monotonic, toldPerMinute, onTold, onFault } = parts
  const waiting = decisionQueue()
  const sharing = new Set<Promise<void>>()
  /** Records written since those of an instance's share were last counted; absent: not counted yet in this run. */
  const since = new Map<string, number>()
  const lost = { accepted: 0, known: 0, stranger: 0 }
  const taken = { accepted: 0, known: 0, stranger: 0 }
  const handled = { accepted: 0, known: 0, stranger: 0 }
  const counted = new Map<string, Counted>()
  const settled = settledClock(clock, monotonic, sweepEvery)
  let sweptAt = -Infinity
  let flushedAt = -Infinity
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> | undefined
  /** The batch that is being written. */
  let current: Promise<void> | undefined
  let closed = false
  /** How many may be begun, and since when. */
  let diagnoses = { left: mostDiagnoses, at: monotonic() }
  /** The store could not write the last time. */
  let stalled = false

  // One each, so that strangers cannot make the tallies of known devices be forgotten.
  const samplers = { known: samplerOf(), stranger: samplerOf() }

  function samplerOf() {
    return sampler<Shared>({
      monotonic,
      mostTallies,
      told: (shared, alike) =>
        tellDiagnosed(alike > 0 ? { ...shared, decision: { ...shared.decision, alike } } : shared),
    })
  }

  async function share(decision: Undiagnosed): Promise<void> {
    // What is known of a device is read when it has its answer: the time of that would tell a stranger whether it is known.
    await nextTurn()
    const shared = await sharedDecision(decision, store).catch((fault: unknown): Shared => {
      onFault(fault)
      return { of: unattributed, share: 'stranger', decision }
    })
    const { of, share } = shared
    const { remoteAddress, registrationId } = decision
    const kind = `${of} ${reasonOf(decision)}`
    const from = `${kind} ${remoteAddress}`
    if (share === 'known') {
      const device = { name: `${from} ${registrationKey(registrationId)}`, most: toldPerMinute }
      if (!samplers.known.take(shared, kind, [device])) count(shared)
      return
    }
    const instance = { name: of, most: 10 * toldPerMinute }
    if (!samplers.stranger.take(shared, kind, [{ name: from, most: toldPerMinute }, instance])) count(shared)
  }

  function count({ of, decision }: Shared): void {
    const reason = reasonOf(decision)
    const key = `${of} ${reason}`
    counted.set(key, { idScope: of, reason, times: (counted.get(key)?.times ?? 0) + 1 })
  }

  /** A little later than the answer, and for so many a second only: what it takes must neither be felt nor be measured. */
  function tellDiagnosed(shared: Shared): void {
    const { diagnose, ...decision } = shared.decision
    if (!diagnose) return tell(shared)
    if (closed || !mayDiagnose()) return tell({ ...shared, decision })
    keepTrackOf(
      delay(afterAnswer)
        .then(() => diagnosed(shared.decision))
        .catch((fault: unknown) => (onFault(fault), decision))
        .then((found) => tell({ ...shared, decision: found })),
    )
  }

  function mayDiagnose(): boolean {
    const at = monotonic()
    const left = Math.min(diagnoses.left + ((at - diagnoses.at) / 1000) * diagnosesPerSecond, mostDiagnoses)
    diagnoses = { left: left < 1 ? left : left - 1, at }
    return left >= 1
  }

  function keepTrackOf(task: Promise<void>): void {
    sharing.add(task)
    void task.finally(() => sharing.delete(task))
  }

  function tell(shared: Shared): void {
    onTold(shared.decision)
    if (!waiting.add(shared)) {
      lost[shared.share]++
      return
    }
    taken[shared.share]++
    // The next drain takes it along.
    if (!writing) timer ??= setTimeout(() => void write(), pause)
  }

  function write(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    writing ??= drain().finally(() => {
      writing = undefined
      if (!waiting.isEmpty() && !closed) timer ??= setTimeout(() => void write(), stalled ? longPause : pause)
    })
    return writing
  }

  async function drain(): Promise<void> {
    for (stalled = false; !waiting.isEmpty() && !stalled;) {
      current = settle(waiting.take(batch))
      await current
    }
  }

  async function settle(records: readonly Shared[]): Promise<void> {
    try {
      await add(records)
    } catch (error) {
      stalled = Refusal.isOfStore(error)
      if (stalled) return waiting.putBack(records)
      for (const { share } of records) lost[share]++
      onFault(error)
    }
    for (const { share } of records) handled[share]++
  }

  async function add(records: readonly Shared[]): Promise<void> {
    const full = new Set<IdScope>()
    for (const { of, share } of records) {
      const key = `${of} ${share}`
      const written = since.get(key)
      since.set(key, (written ?? 0) + 1)
      // Counting costs more than writing, so an instance may have a tenth too many for a while.
      if (written === undefined || written > boundOf(of, share) / 10) full.add(of)
    }
    const due = monotonic() - sweptAt > sweepEvery
    if (due) sweptAt = monotonic()
    const scopes = due ? new Set([...full, ...(await everyScope())]) : full
    const now = settled()
    const oldest = now === undefined ? 0 : now - retention.age
    await store.transact((writer) => {
      for (const { of, share, decision } of records) writer.decisions.add(of, share, decision)
      for (const of of scopes) {
        const counts = shares.map((share) => [share, boundOf(of, share)] as const)
        writer.decisions.keep(of, { since: oldest, counts: new Map(counts) })
      }
    })
    for (const of of scopes) for (const share of shares) since.set(`${of} ${share}`, 0)
  }

  function boundOf(idScope: IdScope, share: DecisionShare): number {
    return idScope === unattributed
      ? Math.min(mostUnattributed, retention.count)
      : Math.ceil(retention.count * kept[share])
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
    await Promise.all(sharing)
    if (monotonic() - flushedAt >= flushEvery) flush()
    // Some are told a little later than they were shared.
    await Promise.all(sharing)
    const until = { ...taken }
    const behind = () => shares.some((share) => handled[share] < until[share])
    while (behind()) {
      void write()
      await current
      if (stalled) return
    }
  }

  function flush(): void {
    flushedAt = monotonic()
    samplers.known.flush()
    samplers.stranger.flush()
  }

  return {
    record: (decision) => {
      const accepted = wasAccepted(decision)
      if (closed) {
        lost[accepted ? 'accepted' : 'stranger']++
        return
      }
      if (accepted) return tell(acceptedDecision(decision))
      keepTrackOf(share(decision).catch(onFault))
    },
    lost: () => lost,
    counted: () => [...counted.values()],
    written,
    [Symbol.asyncDispose]: async () => {
      closed = true
      await Promise.all(sharing)
      await Promise.all(sharing)
      flush()
      await written()
      if (waiting.isEmpty()) return
      const left = waiting.take(Infinity)
      for (const { share } of left) lost[share]++
      onFault(new Error(`${left.length} decision records could not be written before the service stopped`))
    },
  }
}

function reasonOf({ reason, outcome }: Decision): string {
  return reason ?? outcome
}
