import type { Logger } from 'pino'
import { titleOf } from './thrown.ts'

/** What the process exits with after a fault that no part of the service caught: EX_SOFTWARE of sysexits.h. */
export const faultExitCode = 70
/** Milliseconds that stopping may take after such a fault. */
const longestStop = 10_000

/**
 * Settles when something was thrown that nothing caught, after telling the log. What state the process is in is not known then,
 * so it is to stop: what is under way is finished, nothing new is taken. It ends by itself after ten seconds, or with the next
 * such fault.
 */
export function uncaughtFault(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    // Also told of promises that were rejected while nobody waited for them.
    process.on('uncaughtException', (fault) => {
      const again = process.exitCode === faultExitCode
      process.exitCode = faultExitCode
      try {
        log.fatal({ fault }, `a fault that nothing caught, the service stops: ${titleOf(fault)}`)
      } finally {
        if (again) process.exit()
        setTimeout(() => process.exit(), longestStop).unref()
        resolve()
      }
    })
  })
}
