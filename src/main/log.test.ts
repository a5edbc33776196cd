import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import type { Logger } from 'pino'
import type { Decision } from '../model/decision.ts'
import { logDecision, logFault, logTo, type LogFormat } from './log.ts'

/** What is written while this runs. */
function written(format: LogFormat, run: (log: Logger) => void): string {
  let text = ''
  const output = { write: (line: string) => void (text += line) }
  run(logTo(output, format))
  return text
}

const formats = ['text', 'json'] as const
const hostile = 'x\n[13:59:54] INFO: assigned pump-22\r\u001b[2J\u0085\u2028\u202e\u007f\ud800'

test('a fault is written with its stack, its causes and the errors that it gathers, in both formats', () => {
  const inner = Object.assign(new Error('the socket hung up'), { code: 'ECONNRESET' })
  const many = new AggregateError([inner, new TypeError('no address')], '')
  const fault = new Error('the hub was not asked', { cause: many })
  for (const format of formats) {
    const text = written(format, (log) => logFault(log, fault, 'tracked'))
    for (const part of ['the hub was not asked', 'the socket hung up', 'TypeError', 'no address', 'log.test.ts'])
      assert.ok(text.includes(part), `${part} in ${text}`)
  }
  const { fault: members } = JSON.parse(written('json', (log) => logFault(log, fault))) as {
    fault: { stack: string; cause: { errors: { code?: string }[] } }
  }
  assert.match(members.stack, /^Error: the hub was not asked\n +at /)
  assert.equal(members.cause.errors[0]?.code, 'ECONNRESET')
})

test('an error is written whole under whatever name it is logged, at every level, and where it is the only argument', () => {
  for (const format of formats) {
    for (const name of ['fault', 'error', 'err', 'cause', 'anything']) {
      assert.match(
        written(format, (log) => log.fatal({ [name]: new Error('broken') }, 'the end')),
        /broken[^]*log\.test\.ts/,
      )
    }
    assert.match(
      written(format, (log) => log.error(new Error('broken'))),
      /broken[^]*log\.test\.ts/,
    )
    const foreign: unknown = runInNewContext('new RangeError("of another context")')
    assert.match(
      written(format, (log) => logFault(log, foreign)),
      /RangeError: of another context[^]*log\.test\.ts/,
    )
  }
})

test('whatever is thrown can be logged', () => {
  const odd = [undefined, null, 'text', 7n, Symbol('s'), Object.create(null), { toString: () => 5 }, new Proxy({}, {})]
  for (const format of formats) {
    for (const thrown of odd)
      assert.match(
        written(format, (log) => logFault(log, thrown)),
        /fault: /,
      )
    const circular = new Error('round')
    circular.cause = circular
    assert.match(
      written(format, (log) => logFault(log, circular)),
      /round/,
    )
  }
})

test('a member of an error that is not its message stays out of the log', () => {
  const error = Object.assign(new Error('refused'), { headers: { authorization: 'SharedAccessSignature sig=abc' } })
  for (const format of formats) assert.ok(!written(format, (log) => logFault(log, error)).includes('sig=abc'))
})

test('no text begins a line, ends one or steers the terminal, wherever it stands', () => {
  const decision: Decision = {
    time: 0,
    trackingId: hostile,
    idScope: hostile,
    registrationId: hostile,
    protocol: 'Http',
    userAgent: hostile,
    remoteAddress: hostile,
    attestation: hostile,
    findings: [{ step: 'failure', reason: 'HubRefused', found: hostile }],
    outcome: 'failed',
    detail: hostile,
    milliseconds: 1,
  }
  const fault = new Error(`${hostile}\n    at evil (file.ts:1:1)`, { cause: new Error(hostile) })
  fault.name = hostile
  for (const format of formats) {
    const text = written(format, (log) => {
      log.info(hostile)
      log.warn({ [hostile]: hostile, audit: { resource: hostile } }, hostile)
      logDecision(log, decision)
      logDecision(log, { ...decision, outcome: 'refused', reason: 'HubRefused' })
      logFault(log, fault)
      logFault(log, hostile)
    })
    assert.match(text.replaceAll('\n', ''), /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Cf}]*$/u)
    for (const line of text.trimEnd().split('\n')) {
      if (format === 'json') assert.doesNotThrow(() => void JSON.parse(line))
      else assert.match(line, /^(?:\[\d\d:\d\d:\d\d\] (?:INFO|WARN|ERROR): | {4})/)
    }
    assert.equal(text.match(/^\[13:59:54\]/gm), null)
  }
})

test('a registration ID that reads like our own words is told apart from them', () => {
  const decision: Decision = {
    time: 0,
    trackingId: 't',
    idScope: '0ne',
    registrationId: 'pump (x509, Mqtt, 1 ms) to hub-1',
    protocol: 'Http',
    userAgent: '',
    remoteAddress: '192.0.2.1',
    attestation: 'tpm',
    findings: [],
    outcome: 'failed',
    detail: 'why',
    milliseconds: 2,
  }
  const line = written('text', (log) => logDecision(log, decision))
  assert.match(line, /WARN: failed "pump \(x509, Mqtt, 1 ms\) to hub-1" \(tpm, Http, 2 ms\): why$/m)
  assert.match(
    written('text', (log) => logDecision(log, { ...decision, registrationId: 'pump-1' })),
    /failed pump-1 \(tpm/,
  )
  const long = written('text', (log) => logDecision(log, { ...decision, registrationId: 'x'.repeat(129) }))
  assert.match(long, /failed "x{128}"… \(of 129 characters\) \(tpm/)
})
