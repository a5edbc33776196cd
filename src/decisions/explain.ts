import { advice } from './advice.ts'
import type { Decision, Finding } from '../model/decision.ts'
import { refusals, type RefusalReason } from '../model/refusal.ts'
import { printable, shown } from '../base/printable.ts'

/** What to do about a reason; nothing where there is none. */
export function remedyOf(reason: RefusalReason | undefined): string | undefined {
  // A record may have been written by a program that knew other reasons.
  return reason === undefined ? undefined : advice[reason]?.[1]
}

/** A decision as a person wants to read it: what happened, what was looked at, why, and what to do. No secret is in it. */
export function explain(decision: Decision): string {
  const { time, outcome, reason, detail, assignedHub, findings, milliseconds, trackingId, alike } = decision
  const rows: (readonly [label: string, text: string | undefined])[] = [
    ['device', whose(decision)],
    ['presented', decision.presented],
    ...findings.map(tell),
    ['why', detail],
    ['what to do', remedyOf(reason)],
    ['told', reason && refusals[reason] && `${refusals[reason][0]} ${refusals[reason][1]}`],
    ['hub', outcome === 'assigned' ? assignedHub : undefined],
    ['tracking id', trackingId],
    ['took', `${milliseconds} ms`],
    ['and', alike === undefined ? undefined : `${alike} more that ended so shortly before were only counted`],
  ]
  const heading = `${new Date(time).toISOString()}  ${headline(decision)}`
  const told = rows.flatMap(([label, text]) => (text ? [`  ${label.padEnd(12)} ${printable(text)}`] : []))
  return [printable(heading), ...told].join('\n') + '\n'
}

function headline({ outcome, reason, assignedHub, asked }: Decision): string {
  const what = asked ? `${outcome} when it asked to ${asked === 'lookup' ? 'look up' : asked}` : outcome
  return outcome === 'assigned' ? `assigned to ${assignedHub}` : `${what}${reason ? `: ${reason}` : ''}`
}

function whose({ registrationId, idScope, protocol, remoteAddress, userAgent }: Decision): string {
  const sdk = userAgent === '' ? '' : `, ${shown(userAgent)}`
  return `${named(registrationId)} at ID scope ${named(idScope)}, over ${protocol} from ${remoteAddress}${sdk}`
}

function tell(finding: Finding): readonly [string, string] {
  switch (finding.step) {
    case 'candidate':
      return ['looked at', `${finding.enrollment}: ${finding.found}`]
    case 'attested':
      return ['vouched by', `${finding.enrollment} (${finding.milliseconds} ms)`]
    case 'queued':
      return ['waited', `${finding.milliseconds} ms for its turn, by the limits of the instance`]
    case 'allocation':
      return [
        'allocated',
        `${finding.chosen} by ${finding.policy}, of ${finding.candidates.join(', ')}${because(finding.because)}`,
      ]
    case 'custom':
      return ['asked', `${finding.asked}: ${finding.found} (${finding.milliseconds} ms)`]
    case 'hub': {
      const took = finding.milliseconds === undefined ? '' : ` (${finding.milliseconds} ms)`
      return ['asked hub', `${finding.hub}, ${finding.call}: ${finding.found}${took}`]
    }
    case 'warning':
      return ['warning', finding.found]
    case 'failure':
      return ['failed', `${finding.reason}: ${finding.found}`]
    case 'overlooked':
      return ['and', `${finding.count} more were looked at`]
  }
}

function because(reason: string | undefined): string {
  return reason === undefined ? '' : ` (${reason})`
}

function named(id: string): string {
  return id === '' ? '(not said)' : shown(id)
}
