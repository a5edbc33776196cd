import type { Logger } from 'pino'
import { clockJumps } from '../base/clock-jump.ts'
import type { Clocks } from '../base/time.ts'

/** The clocks of this machine, both in whole milliseconds. */
export const machineClocks: Clocks = { clock: Date.now, monotonic: () => Math.floor(performance.now()) }

/** Milliseconds between two looks at the clock. */
const lookEvery = 5000

/** Say in the log when the wall clock was set, in either direction, and what that means; until it is disposed of. */
export function watchClock({ clock, monotonic }: Clocks, log: Pick<Logger, 'warn'>): Disposable {
  const jumped = clockJumps(clock, monotonic)
  const look = () => {
    const jump = jumped()
    if (jump !== 0) log.warn({ clockJump: jump }, describeJump(jump))
  }
  const timer = setInterval(look, lookEvery).unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** In words, for a jump of so many milliseconds; a machine that slept finds its clock set forward. */
function describeJump(jump: number): string {
  const way = jump > 0 ? 'forward' : 'back'
  const seconds = Math.round(Math.abs(jump) / 1000)
  return (
    `the clock was set ${way} by ${seconds} s: limits and waiting times go on as they were; tokens, certificates and the times in` +
    ' records go by the new time; nothing is deleted by its age for an hour'
  )
}
