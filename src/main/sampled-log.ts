import type { Logger } from 'pino'
import type { Monotonic } from '../base/time.ts'
import { sampler } from '../decisions/sampler.ts'
import type { AdministrativeLine } from '../transport/management-api/administrative-line.ts'
import { logFault } from './log.ts'
import { titleOf } from './thrown.ts'

/** What strangers can make happen any number of times, told singly while it is little. Disposing it tells of the rest. */
export interface SampledLog extends Disposable {
  readonly fault: (fault: unknown, trackingId?: string) => void
  /** A call to the control plane. Those of somebody who proved who they are, are always told. */
  readonly call: (line: AdministrativeLine) => void
}

const mostTallies = 1000
/** In a minute, of one title: the first has its stack. */
const faultsTold = 10

/** `toldPerMinute`: refused calls of nobody, by address and reason. */
export function sampledLog(log: Logger, monotonic: Monotonic, toldPerMinute: number): SampledLog {
  const faults = sampler<{ fault: unknown; trackingId: string | undefined }>({
    monotonic,
    mostTallies,
    told: ({ fault, trackingId }, alike) => logFault(log, fault, trackingId, alike),
  })
  const calls = sampler<AdministrativeLine>({
    monotonic,
    mostTallies,
    told: (line, alike) => logCall(log, line, alike),
  })
  return {
    fault: (fault, trackingId) => {
      const title = titleOf(fault).slice(0, 200)
      faults.take({ fault, trackingId }, 'any', [{ name: title, most: faultsTold }])
    },
    call: (line) => {
      if (line.principal !== undefined) return logCall(log, line, 0)
      const { callerIpAddress, resultSignature } = line
      const from = { name: `${resultSignature} ${callerIpAddress}`, most: toldPerMinute }
      calls.take(line, resultSignature, [from, { name: 'all', most: 10 * toldPerMinute }])
    },
    [Symbol.dispose]: () => {
      faults[Symbol.dispose]()
      calls[Symbol.dispose]()
    },
  }
}

function logCall(log: Logger, line: AdministrativeLine, alike: number): void {
  const { operationName, resultType, resultDescription, callerIpAddress, principal, correlationId } = line
  const told = `${operationName} ${resultType}`
  if (resultType === 'Success') return log.info({ audit: line }, told)
  const more = alike === 0 ? '' : ` (and ${alike} more that ended so, only counted)`
  const who = `${principal ?? 'nobody known'} at ${callerIpAddress}`
  log.warn({ audit: line }, `${told} for ${who}: ${resultDescription} [tracking id ${correlationId}]${more}`)
}
