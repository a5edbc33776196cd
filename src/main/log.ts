import pino, { type Logger } from 'pino'
import { prettyFactory } from 'pino-pretty'
import type { Decision } from '../model/decision.ts'
import { Refusal, refusals } from '../model/refusal.ts'
import type { Report } from '../sqlite/condition.ts'
import { Unwritable } from '../sqlite/unwritable.ts'
import { printable, printableJson, shown } from '../base/printable.ts'
import type { AuditTrouble } from './audit-log.ts'
import { type Output, outputTo } from './line-output.ts'
import { isError, stackLines, thrownMembers, titleOf, type Thrown } from './thrown.ts'

const standardOutput = 1

export type LogFormat = 'text' | 'json'

/**
 * Where lines for people and machines go: standard output, as text or as JSON. Errors among the members are written with their
 * stacks and causes. Whatever a line holds, it stays one line, or lines that are set in: no text of anybody's begins one.
 */
export function openLog(format: LogFormat): Logger {
  const output = outputTo(standardOutput)
  process.once('exit', output.flushSync)
  return logTo(output, format, process.stdout.isTTY === true)
}

/** The same, to another destination. */
export function logTo(output: Pick<Output, 'write'> & Partial<Output>, format: LogFormat, colorize = false): Logger {
  const line = format === 'json' ? printableJson : textLines(colorize)
  const formatters = {
    log: (members: Record<string, unknown>) =>
      Object.fromEntries(
        Object.entries(members).map(([name, value]) => [name, isError(value) ? thrownMembers(value) : value]),
      ),
  }
  const written: Output = {
    write: (json) => output.write(line(json)),
    // Called after a fatal line, so that it is seen before the process ends.
    flushSync: () => output.flushSync?.(),
  }
  return pino({ base: null, formatters }, written)
}

/** What is told of a fault: its title, and in the member `fault` its stack; and how many more of the title were only counted. */
export function logFault(log: Logger, fault: unknown, trackingId?: string, alike = 0): void {
  const more = alike === 0 ? '' : ` (and ${alike} more of the kind, only counted)`
  log.error({ fault: isError(fault) ? fault : thrownMembers(fault), trackingId }, `fault: ${titleOf(fault)}${more}`)
}

/** A line says all that a person wants; but for the stacks of errors, the members are for machines. */
function textLines(colorize: boolean): (json: string) => string {
  return prettyFactory({
    colorize,
    hideObject: true,
    translateTime: 'SYS:HH:MM:ss',
    messageFormat: (members, messageKey) => {
      const message = String(members[messageKey] ?? '')
      const told = (thrown: Thrown) => (message.includes(thrown.message) ? [] : [`${thrown.type}: ${thrown.message}`])
      const stacks = Object.values(members).flatMap((value) =>
        isThrown(value) ? [...told(value), ...stackLines(value)] : [],
      )
      return [message, ...stacks].map(printable).join('\n    ')
    },
  })
}

function isThrown(value: unknown): value is Thrown {
  return typeof value === 'object' && value !== null && 'type' in value && 'message' in value
}

/** One line for each attempt to register; a refused one says what was expected and what was found. */
export function logDecision(log: Logger, decision: Decision): void {
  const { outcome, registrationId, protocol, attestation, assignedHub, reason, detail, milliseconds, trackingId } =
    decision
  const more = decision.alike === undefined ? '' : ` (and ${decision.alike} more that ended so, only counted)`
  const who = `${shown(registrationId, 128)} (${attestation}, ${protocol}, ${milliseconds} ms)`
  switch (outcome) {
    case 'assigned': {
      const warnings = warningsOf(decision)
      const line = `assigned ${who} to ${assignedHub}${warnings}`
      return warnings === '' ? log.info({ decision }, line) : log.warn({ decision }, line)
    }
    case 'assigning':
    case 'challenged':
    case 'disabled':
      return log.info({ decision }, `${outcome} ${who}${more}`)
    case 'failed':
      return log.warn({ decision }, `failed ${who}: ${detail ?? ''}${failures(decision)}${more}`)
    case 'refused':
      return log.warn(
        { decision },
        `refused ${who}: ${detail} [${reason} ${reason && refusals[reason][0]}, tracking id ${trackingId}]${more}`,
      )
    case 'fault':
      return log.error({ decision }, `fault ${who} [tracking id ${trackingId}]${more}`)
  }
}

/** Tells of the databases: what ails them, and when that is over. */
export function databaseLog(log: Logger): (report: Report) => void {
  return ({ kind, text, path, errno }) => {
    const level = { trouble: 'error', notice: 'warn', recovery: 'info' } as const
    log[level[kind]]({ database: { path, errno } }, text)
  }
}

/** What is thrown to everybody who wanted to write is told once, by the database itself. */
export function isToldByStore(thrown: unknown): boolean {
  return thrown instanceof Unwritable || Refusal.isOfStore(thrown)
}

function failures({ findings }: Decision): string {
  const found = findings.flatMap((finding) =>
    finding.step === 'failure' ? [`${finding.found} [${finding.reason}]`] : [],
  )
  return found.length === 0 ? '' : ` — ${found.join('; ')}`
}

function warningsOf({ findings }: Decision): string {
  const found = findings.flatMap((finding) => (finding.step === 'warning' ? [finding.found] : []))
  return found.length === 0 ? '' : ` — ${found.join('; ')}`
}

/** Tells of an audit log that cannot be written, loudly: changes go on, and somebody has to know. */
export function auditTrouble(log: Logger, folder: string): AuditTrouble {
  return {
    failed: (fault) =>
      log.error({ fault }, `the audit log in ${folder} cannot be written; its lines wait in memory: ${titleOf(fault)}`),
    recovered: (written, lost) =>
      log.warn(`the audit log is written again: ${written} lines caught up${lost === 0 ? '' : `, ${lost} were lost`}`),
    ended: (unwritten) =>
      log.error(`${unwritten} lines of the audit log are lost: it could not be written until the end`),
  }
}
