import { totalmem } from 'node:os'
import type { Logger } from 'pino'
import type { Monotonic } from '../base/time.ts'
import { memoryBudget, type MemoryBudget } from '../base/memory.ts'
import type { Configuration } from './configuration.ts'
import { settings } from './settings.ts'

const mebibyte = 1 << 20
/** What one connection may hold: two of the largest bodies, or of what may wait to be sent. */
const each = 8 * mebibyte
/** Of the memory that the process may have, where no setting says otherwise. */
const share = 1 / 4
/** Milliseconds between two lines. */
const tellEvery = 60_000

/** What the connections of all listeners may hold. Those that are cut for it stand in the log, once a minute. */
export function connectionMemory(
  { connectionMemory: wanted }: Pick<Configuration, 'connectionMemory'>,
  log: Pick<Logger, 'warn'>,
  monotonic: Monotonic,
): MemoryBudget {
  const total = wanted === 0 ? Math.floor(memoryOfProcess() * share) : wanted * mebibyte
  let untold = 0
  let toldAt = -Infinity
  const budget = memoryBudget({ total, each }, () => {
    untold++
    if (monotonic() - toldAt < tellEvery) return
    log.warn(
      { memory: { held: budget.held(), total, each, times: untold } },
      `${untold} connections were cut because of the memory that they held: one may hold ${each / mebibyte} MiB, all together ${Math.round(total / mebibyte)} (--${settings.connectionMemory.flag})`,
    )
    toldAt = monotonic()
    untold = 0
  })
  return budget
}

/** In bytes: the machine's, or what its container was given. */
function memoryOfProcess(): number {
  const constrained = process.constrainedMemory()
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
}
