import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jumps, testClocks } from '../../test/fixtures/clocks.ts'
import { clockJumps, settledClock } from './clock-jump.ts'

const [second, minute] = [1000, 60_000]

test('a jump is told once, in its size and direction, and slow corrections are none', () => {
  for (const jump of [...jumps, 3 * second]) {
    const time = testClocks()
    const jumped = clockJumps(time.clock, time.monotonic)
    time.pass(minute)
    assert.equal(jumped(), 0)
    time.pass(minute)
    time.set(jump)
    assert.equal(jumped(), jump)
    time.pass(minute)
    time.set(second)
    assert.equal(jumped(), 0)
  }
})

test('what deletes by age has no clock for a while after a jump, and then goes by the new time', () => {
  for (const jump of jumps) {
    const time = testClocks()
    const settled = settledClock(time.clock, time.monotonic, 60 * minute)
    assert.equal(settled(), time.clock())
    time.set(jump)
    assert.equal(settled(), undefined)
    time.pass(59 * minute)
    assert.equal(settled(), undefined)
    time.pass(2 * minute)
    assert.equal(settled(), time.clock())
  }
})
