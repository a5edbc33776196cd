import type { Decision, Ending, Finding, Trail } from '../model/decision.ts'
import { Refusal } from '../model/refusal.ts'
import type { Operation } from '../model/registration.ts'
import type { Clock } from '../model/timestamp.ts'

/** Whose attempt it is. */
export type Attempt = Pick<
  Decision,
  'trackingId' | 'idScope' | 'registrationId' | 'protocol' | 'userAgent' | 'remoteAddress' | 'attestation'
>

/** Begin to note down an attempt; `onDecision` hears of it when it has ended. */
export function beginTrail(attempt: Attempt, clock: Clock, onDecision: (decision: Decision) => void): Trail {
  const findings: Finding[] = []
  const time = clock()
  return {
    note: (finding) => void findings.push(finding),
    end: (ending) => onDecision({ ...attempt, ...ending, time, findings, milliseconds: clock() - time }),
  }
}

/** For requests that decide nothing, such as polls. */
export const noTrail: Trail = { note: () => {}, end: () => {} }

/** How an attempt that threw has ended. */
export function endingOfThrown(thrown: unknown): Ending {
  return thrown instanceof Refusal
    ? { outcome: 'refused', reason: thrown.reason, detail: thrown.detail }
    : { outcome: 'fault', detail: String(thrown) }
}

/** How an operation has ended. */
export function endingOfOperation({ status, result }: Operation): Ending {
  const { assignment, failure } = result?.registration ?? {}
  return {
    outcome: status,
    detail: failure?.errorMessage,
    assignedHub: status === 'assigned' ? assignment?.assignedHub : undefined,
  }
}
