import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'
import type { Decision } from '../model/decision.ts'
import { refusals } from '../model/refusal.ts'

/** Where lines for people and machines go: standard output, as text or as JSON. */
export function openLog(format: 'text' | 'json'): Logger {
  if (format === 'json') return pino({ base: null }, pino.destination({ sync: false }))
  const colorize = process.stdout.isTTY === true
  // A line says all that a person wants; the members are for machines.
  return pino(
    { base: null },
    pretty({ colorize, ignore: members, translateTime: 'SYS:HH:MM:ss', errorLikeObjectKeys: ['fault'] }),
  )
}

const members = 'decision,audit,trackingId'

/** One line for each attempt to register; a refused one says what was expected and what was found. */
export function logDecision(log: Logger, decision: Decision): void {
  const { outcome, registrationId, protocol, attestation, assignedHub, reason, detail, milliseconds, trackingId } =
    decision
  const who = `${shown(registrationId)} (${attestation}, ${protocol}, ${milliseconds} ms)`
  switch (outcome) {
    case 'assigned':
      return log.info({ decision }, `assigned ${who} to ${assignedHub}`)
    case 'assigning':
    case 'challenged':
    case 'disabled':
      return log.info({ decision }, `${outcome} ${who}`)
    case 'failed':
      return log.warn({ decision }, `failed ${who}: ${detail ?? ''}${failures(decision)}`)
    case 'refused':
      return log.warn(
        { decision },
        `refused ${who}: ${detail} [${reason} ${reason && refusals[reason][0]}, tracking id ${trackingId}]`,
      )
    case 'fault':
      return log.error({ decision }, `fault ${who} [tracking id ${trackingId}]`)
  }
}

function failures({ findings }: Decision): string {
  const found = findings.flatMap((finding) =>
    finding.step === 'failure' ? [`${finding.found} [${finding.reason}]`] : [],
  )
  return found.length === 0 ? '' : ` — ${found.join('; ')}`
}

/** What strangers send is shown short, and cannot write to the terminal. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 128)).slice(1, -1)
}
