import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auditLog } from './audit-log.ts'

function watched() {
  const written: unknown[] = []
  const told: string[] = []
  let full = false
  const file = {
    write: (line: object) => {
      if (full) throw new Error('ENOSPC')
      written.push('count' in line ? line.count : line)
    },
  }
  const log = auditLog(file, {
    failed: (error) => told.push(String(error)),
    recovered: (lines, lost) => told.push(`recovered ${lines}, lost ${lost}`),
    ended: (unwritten) => told.push(`ended with ${unwritten}`),
  })
  return { log, written, told, fill: (is: boolean) => (full = is) }
}

test('lines that cannot be written wait, and are written in their order before any later one; it is told once', () => {
  const { log, written, told, fill } = watched()
  log.write({ count: 1 })
  fill(true)
  for (const count of [2, 3]) log.write({ count })
  assert.equal(log.intend({ count: 0 }), false)
  assert.equal(log.waiting(), 2)
  fill(false)
  log.write({ count: 4 })
  assert.deepEqual(written, [1])
  assert.equal(log.intend({ count: 5 }), true)
  log.write({ count: 6 })
  assert.deepEqual(written, [1, 2, 3, 4, 5, 6])
  assert.deepEqual([told, log.waiting(), log.lost()], [['Error: ENOSPC', 'recovered 3, lost 0'], 0, 0])
})

test('what is about to be done is refused from the first line that the file does not take, and only until it takes one', () => {
  const { log, written, told, fill } = watched()
  assert.equal(log.intend({ count: 1 }), true)
  fill(true)
  assert.equal(log.intend({ count: 2 }), false)
  assert.equal(log.intend({ count: 3 }), false)
  assert.deepEqual([told, log.waiting()], [['Error: ENOSPC'], 0])
  fill(false)
  assert.equal(log.intend({ count: 4 }), true)
  assert.deepEqual([written, told.at(-1)], [[1, 4], 'recovered 0, lost 0'])
})

test('what memory has no room for is counted, and the file itself says how many are missing, where they are', () => {
  const { log, written, told, fill } = watched()
  fill(true)
  const text = 'x'.repeat(1 << 20)
  for (let count = 0; count < 20; count++) log.write({ count, text })
  const lost = log.lost()
  assert.ok(lost >= 4 && lost <= 6, `${lost}`)
  fill(false)
  log[Symbol.dispose]()
  assert.deepEqual(written.slice(-2), [19 - lost, { category: 'Audit', operationName: 'LinesLost', lines: lost }])
  assert.equal(told.at(-1), `recovered ${20 - lost}, lost ${lost}`)
})

test('an end with lines that were never written says how many', () => {
  const { log, told, fill } = watched()
  fill(true)
  for (const count of [1, 2]) log.write({ count })
  log[Symbol.dispose]()
  assert.equal(told.at(-1), 'ended with 2')
})
