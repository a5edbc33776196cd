import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jumps, testClocks } from '../../test/fixtures/clocks.ts'
import type { Placement } from '../model/registration.ts'
import { abandonment } from './rollback.ts'
import { asDeviceId, asOperationId } from '../../test/fixtures/identifiers.ts'

function placed(since: number, phase: Placement['phase'] = 'making'): Placement {
  const to = { assignedHub: 'a', deviceId: asDeviceId('d'), substatus: 'initialAssignment' } as const
  return { operationId: asOperationId('o'), since, kind: 'first', phase, to }
}

test("another's placement is abandoned once its own time says so", () => {
  const time = testClocks()
  const abandoned = abandonment(time)
  assert.equal(abandoned(placed(time.clock() - 19_000)), false)
  assert.equal(abandonment(time)(placed(time.clock() - 20_000)), true)
})

test('whatever a clock is set to, a placement that stands still is taken over after twenty seconds, and one that goes on is not', () => {
  for (const jump of jumps.filter((by) => by < 0)) {
    const time = testClocks()
    const begun = time.clock()
    time.set(jump)
    const abandoned = abandonment(time)
    assert.equal(abandoned(placed(begun)), false)
    time.pass(19_000)
    assert.equal(abandoned(placed(begun)), false)
    assert.equal(abandoned(placed(begun, 'removing')), false)
    time.pass(19_000)
    assert.equal(abandoned(placed(begun, 'removing')), false)
    time.pass(1000)
    assert.equal(abandoned(placed(begun, 'removing')), true)
  }
})
