import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { advice } from './advice.ts'
import { reasonsPage } from './reasons-page.ts'
import { refusals } from '../model/refusal.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/reasons.md'), 'utf8')

test('docs/reasons.md has every reason, once, with the present advice', () => {
  assert.equal(page, reasonsPage(), 'run: npm run docs')
  for (const reason of Object.keys(refusals)) assert.equal(page.split(`| \`${reason}\` |`).length, 2, reason)
})

test('there is advice for every reason, and no other', () => {
  assert.deepEqual(Object.keys(advice).toSorted(), Object.keys(refusals).toSorted())
})

test('every advice is a sentence that says what to do', () => {
  for (const [reason, [, remedy]] of Object.entries(advice)) {
    assert.match(remedy, /^[A-Z].{15,}[.…]$/, reason)
  }
})
