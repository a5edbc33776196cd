import { nameOf, type Credential } from '../attestation/attestation.ts'
import {
  longestDecisionText,
  type Decision,
  type Undiagnosed,
  type Ending,
  type Finding,
  type Trail,
} from '../model/decision.ts'
import { Refusal } from '../model/refusal.ts'
import type { Operation } from '../model/registration.ts'
import type { Clocks } from '../base/time.ts'
import type { Standing } from '../base/peer.ts'
import { tellFailure } from './standing.ts'
import { describeCredential } from './presented.ts'
import { printable } from '../base/printable.ts'

/** Whose attempt it is. */
export type Attempt = Pick<
  Decision,
  'trackingId' | 'idScope' | 'registrationId' | 'protocol' | 'userAgent' | 'remoteAddress'
> & {
  /** Absent where an earlier run took it. */
  readonly credential?: Credential
  /** Absent: to register. */
  readonly asked?: Decision['asked']
  /** Of the connection that it came on; absent: nobody wants to know. */
  readonly standing?: Standing | undefined
}

/** An instance may have hundreds of groups that were looked at in vain. */
const mostFindings = 24

/** Begin to note down an attempt; `onDecision` hears of it when it has ended. */
export function beginTrail(
  attempt: Attempt,
  { clock, monotonic }: Clocks,
  onDecision: (decision: Undiagnosed) => void,
): Trail {
  const findings: Finding[] = []
  const time = clock()
  const startedAt = monotonic()
  let failure: Extract<Finding, { step: 'failure' }> | undefined
  let overlooked = 0
  return {
    note: (finding) => {
      if (finding.step === 'failure') failure = finding
      if (findings.length < mostFindings) findings.push(visible(finding))
      else overlooked++
    },
    end: (ending) => {
      const { trackingId, idScope, registrationId, protocol, userAgent, remoteAddress, credential, asked } = attempt
      const detail = ending.reason ? ending.detail : (failure?.found ?? ending.detail)
      onDecision({
        time,
        trackingId,
        idScope: cut(idScope, 128),
        registrationId: cut(registrationId, 256),
        protocol,
        userAgent: cut(userAgent, 256),
        remoteAddress,
        ...(asked && { asked }),
        attestation: credential ? nameOf(credential) : '(resumed)',
        presented: credential && describeCredential(credential),
        findings: overlooked > 0 ? [...findings, { step: 'overlooked', count: overlooked }] : findings,
        outcome: ending.outcome,
        reason: ending.reason ?? failure?.reason,
        detail: detail === undefined ? undefined : printable(detail.slice(0, longestDecisionText)),
        assignedHub: ending.assignedHub,
        ...(ending.diagnose && { diagnose: ending.diagnose }),
        milliseconds: monotonic() - startedAt,
      })
    },
  }
}

/** For requests that decide nothing, such as polls. */
export const noTrail: Trail = { note: () => {}, end: () => {} }

/** How an attempt that threw has ended. */
export function endingOfThrown(thrown: unknown): Ending {
  return thrown instanceof Refusal
    ? { outcome: 'refused', reason: thrown.reason, detail: thrown.detail, diagnose: thrown.diagnose }
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

/** The last defence, should somebody have told what was found without quoting it. */
function visible<F extends Finding>(finding: F): F {
  return 'found' in finding ? { ...finding, found: printable(finding.found) } : finding
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}

/** Tell of an attempt that threw, unless that was told already: what was thrown passes a transport on its way out. */
export function tell(
  attempt: Attempt,
  thrown: unknown,
  dependencies: Clocks & { readonly onDecision: (decision: Undiagnosed) => void },
): void {
  if (typeof thrown === 'object' && thrown !== null && told.has(thrown)) return
  beginTrail(attempt, dependencies, dependencies.onDecision).end(endingOfThrown(thrown))
  tellFailure(attempt.standing, thrown)
  markTold(thrown)
}

const told = new WeakSet<object>()

/** What was thrown has its decision record. */
export function markTold(thrown: unknown): void {
  if (typeof thrown === 'object' && thrown !== null) told.add(thrown)
}
