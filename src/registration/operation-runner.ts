import type { Attested } from '../attestation/attestation.ts'
import { settledClock } from '../base/clock-jump.ts'
import { newOperationId, registrationKey } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { Operation } from '../model/registration.ts'
import type { RegistrationDependencies } from './dependencies.ts'
import { orphanOf, orphanPause, removeOrphan } from './orphans.ts'
import { resumeState } from './resume-state.ts'
import { endingOfOperation, endingOfThrown } from './trail.ts'

/** Runs the operations of this node: begun by registering, run on after the answer if need be. */
export interface OperationRunner {
  /** Begin an operation, or join the one that is doing the same for this device. Settles with its end, or with it `assigning`. */
  readonly run: (attested: Attested) => Promise<Operation>
  /** Go on with an operation that is kept in the store as `assigning`. */
  readonly goOn: (attested: Attested, operation: Operation) => void
  /** See to it that an orphan goes, as often as it takes. */
  readonly settle: (orphan: Operation) => void
  /** An operation that this node is running. */
  readonly find: (device: Pick<Operation, 'idScope' | 'registrationId'>, id: string) => Operation | undefined
  /** Settles when nothing is running, or after a few seconds; what has not ended then goes on at the next start. */
  readonly idle: () => Promise<void>
  /** How many are running, or wait for their turn. */
  readonly count: () => number
}

/** Polls find an operation for this long. [device-wire §9.2] */
const kept = 60 * 60 * 1000
const sweepEvery = 60 * 1000
/** Milliseconds that stopping waits for what is under way. */
const longestStop = 5000

interface Run {
  readonly operation: Operation
  /** Two runs for a device that have this in common would do the same. */
  readonly purpose: string
  readonly ended: Promise<Operation>
  /** The device was told `assigning`: settles when the store knows. */
  promised?: Promise<void> | undefined
  /** The end is being written; nothing else may be written of it any more. */
  ending: boolean
  /** When it is its turn, by the monotonic clock, where it has to wait for that. */
  readonly startsAt?: number | undefined
}

/** An operation that has come to its end, and what it left behind to be removed. */
export interface Ended {
  readonly ended: Operation
  readonly orphan?: Operation | undefined
}

/** Run one operation to its end; `beforeEnd` is awaited before the end is written. */
export type RunOperation = (attested: Attested, operation: Operation, beforeEnd: () => Promise<void>) => Promise<Ended>

export function operationRunner(dependencies: RegistrationDependencies, runOperation: RunOperation): OperationRunner {
  const { store, clock, monotonic, shortWait, limits, onFault } = dependencies
  /** At most one for each device. */
  const runs = new Map<string, Run>()
  const waiting = new Set<NodeJS.Timeout>()
  const settled = settledClock(clock, monotonic, kept)
  let sweptAt = monotonic()
  let stopped = false

  async function run(attested: Attested): Promise<Operation> {
    sweep()
    const { service, registrationId } = attested
    const purpose = purposeOf(attested)
    const key = keyOf({ idScope: service.idScope, registrationId })
    for (let other = runs.get(key); other; other = runs.get(key)) {
      // A device that lost the answer asks again; it is given the operation that it has. [device-wire §9.1]
      if (other.purpose === purpose) {
        tellEnd(other.ended, attested)
        return answer(other, attested)
      }
      await Promise.allSettled([other.ended])
    }
    const id = newOperationId(service.idScope, registrationId)
    const operation: Operation = {
      id,
      idScope: service.idScope,
      registrationId,
      status: 'assigning',
      createdAt: clock(),
    }
    const wait = limits?.turn(service) ?? 0
    if (wait > 0) attested.trail.note({ step: 'queued', milliseconds: Math.round(wait) })
    return answer(begin(attested, operation, purpose, wait), attested)
  }

  function begin(attested: Attested, operation: Operation, purpose = purposeOf(attested), wait = 0): Run {
    const key = keyOf(operation)
    const beforeEnd = async () => {
      // A promise that could not be kept was not made.
      await begun.promised?.catch(() => {})
      // What did not end in time is the next start's: a node that is stopping would end it without its hub.
      if (stopped) await new Promise(() => {})
      begun.ending = true
    }
    const start = () => runOperation(attested, operation, beforeEnd)
    const ended = (wait > 0 ? turn(wait).then(start) : start())
      .finally(() => runs.delete(key))
      .then(({ ended, orphan }) => {
        if (orphan) settle(orphan)
        return ended
      })
    const startsAt = wait > 0 ? monotonic() + wait : undefined
    const begun: Run = { operation, purpose, ended, ending: false, startsAt }
    runs.set(key, begun)
    ended.catch((fault: unknown) => stopped || onFault(fault, attested.trackingId))
    tellEnd(ended, attested)
    return begun
  }

  /** The end, if it comes within the short wait; else `assigning`, once the store knows of it. */
  async function answer(run: Run, attested: Attested): Promise<Operation> {
    const ended = await within(run.ended, waitOf(run) > shortWait ? 0 : shortWait)
    if (ended) return ended
    if (run.ending) return run.ended
    run.promised ??= store.transact((write) =>
      write.operations.put({ ...run.operation, resume: resumeState(attested) }),
    )
    try {
      await run.promised
    } catch (error) {
      // Whoever joins the run later asks the store anew.
      run.promised = undefined
      throw error
    }
    return shown(run)
  }

  function turn(wait: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => (waiting.delete(timer), resolve()), wait).unref()
      waiting.add(timer)
    })
  }

  function waitOf({ startsAt }: Run): number {
    return startsAt === undefined ? 0 : Math.max(0, startsAt - monotonic())
  }

  function shown(run: Run): Operation {
    const wait = waitOf(run)
    return wait > 0 ? { ...run.operation, retryAfter: Math.ceil(wait / 1000) } : run.operation
  }

  function settle(operation: Operation, attempts = 0): void {
    const again = () => {
      waiting.delete(timer)
      attempt(operation, attempts).catch((fault: unknown) => {
        // It is gone, and only that could not be written down: again, which ends the same.
        if (Refusal.isOfStore(fault) && !stopped) settle(operation, attempts + 1)
        else onFault(fault, operation.id)
      })
    }
    const timer = setTimeout(again, attempts === 0 ? 0 : orphanPause(attempts, Math.random())).unref()
    waiting.add(timer)
  }

  /** In the device's turn: it may be registering at this moment, and come to belong where something was left. */
  async function attempt(operation: Operation, attempts: number): Promise<void> {
    const key = keyOf(operation)
    const orphan = orphanOf(operation)
    if (!orphan) return
    for (let other = runs.get(key); other; other = runs.get(key)) await Promise.allSettled([other.ended])
    const removing = removeOrphan(operation, orphan, dependencies)
    runs.set(key, { operation, purpose: '', ended: removing.then(() => operation), ending: true })
    const gone = await removing.finally(() => runs.delete(key))
    if (!gone) return settle(operation, attempts + 1)
    await store.transact((write) => write.operations.put({ ...operation, resume: undefined, status: 'assigned' }))
  }

  function sweep(): void {
    if (monotonic() - sweptAt < sweepEvery) return
    sweptAt = monotonic()
    const now = settled()
    if (now === undefined) return
    store.transact((write) => write.operations.expire(now - kept)).catch((fault: unknown) => onFault(fault, 'sweep'))
  }

  return {
    run,
    goOn: (attested, operation) => {
      const before = runs.get(keyOf(operation))
      if (!before) begin(attested, operation)
      else void Promise.allSettled([before.ended]).then(() => begin(attested, operation))
    },
    settle: (orphan) => settle(orphan),
    find: (device, id) => {
      const found = runs.get(keyOf(device))
      return found?.operation.id === id ? shown(found) : undefined
    },
    count: () => runs.size,
    idle: async () => {
      waiting.forEach((timer) => clearTimeout(timer))
      // Whoever waits for a turn was promised it: the store knows, and the next start goes on with it.
      for (const [key, run] of runs) if (waitOf(run) > 0) runs.delete(key)
      // What waits for a hub may wait long; it was promised too, or its device will ask again.
      for (const end = monotonic() + longestStop; runs.size > 0 && monotonic() < end;) {
        await within(Promise.allSettled([...runs.values()].map(({ ended }) => ended)), end - monotonic())
      }
      stopped = true
    },
  }
}

function purposeOf(attested: Attested): string {
  return JSON.stringify(resumeState(attested))
}

function tellEnd(ended: Promise<Operation>, { trail }: Attested): void {
  ended.then(
    (operation) => trail.end(endingOfOperation(operation)),
    (fault: unknown) => trail.end(endingOfThrown(fault)),
  )
}

function keyOf({ idScope, registrationId }: Pick<Operation, 'idScope' | 'registrationId'>): string {
  return `${idScope}/${registrationKey(registrationId)}`
}

/** By hand, because aborting a promised timer makes an error object each time, which shows in the CPU of a registration. */
function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  if (milliseconds === 0) return Promise.resolve(undefined)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), milliseconds)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
