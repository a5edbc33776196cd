import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testClocks } from '../../test/fixtures/clocks.ts'
import { Refusal } from '../model/refusal.ts'
import { failureBudget, type FailureBudget } from './failure-budget.ts'
import { asIdScope, asRegistrationId, asTimestamp } from '../../test/fixtures/identifiers.ts'

const perSecond = 1000
const service = (idScope: string) => ({
  idScope: asIdScope(idScope),
  name: idScope,
  hostNames: [],
  allocationPolicy: 'hashed' as const,
  createdDateTimeUtc: asTimestamp(''),
})
const attempt = (registrationId: string, remoteAddress = '192.0.2.1', idScope = '0neA') => {
  return { service: service(idScope), registrationId: asRegistrationId(registrationId), remoteAddress }
}

/** How many attempts of so many trials fail before one is refused, at most 1000. */
function failures(budget: FailureBudget, trials: number, next: (index: number) => ReturnType<typeof attempt>): number {
  for (let index = 0; index < 1000; index++) {
    try {
      budget.reserve(next(index), trials)
    } catch (error) {
      assert.ok(error instanceof Refusal && error.reason === 'Throttled', String(error))
      assert.ok(error.retryAfter! >= 2 && error.retryAfter! <= 60)
      return index
    }
  }
  return 1000
}

test('a device at its address, an address, an instance and the node may each fail so much, in this order', () => {
  const of = (next: (index: number) => ReturnType<typeof attempt>) =>
    failures(failureBudget(perSecond, testClocks().monotonic), 100, next)
  assert.equal(
    of(() => attempt('a')),
    6,
  )
  assert.equal(
    of((index) => attempt(`d-${index}`)),
    26,
  )
  assert.equal(
    of((index) => attempt(`d-${index}`, `192.0.2.${index}`)),
    51,
  )
  assert.equal(
    of((index) => attempt(`d-${index}`, `192.0.2.${index}`, `0ne${index}`)),
    101,
  )
  assert.equal(
    of((index) => attempt(`d-${index}`, `2001:db8::${index}`)),
    26,
    'a /64 is one address',
  )
})

test('what is owed is paid off in time, by the monotonic clock', () => {
  const time = testClocks()
  const budget = failureBudget(perSecond, time.monotonic)
  assert.equal(
    failures(budget, 100, () => attempt('a')),
    6,
  )
  time.set(-365 * 24 * 3_600_000)
  time.pass(2000)
  assert.equal(
    failures(budget, 100, () => attempt('a')),
    1,
  )
  time.pass(20_000)
  assert.equal(budget.reserve(attempt('a'), 1).first, true)
})

test('who proves to be a device owes nothing, and one search may be larger than all that may be owed', () => {
  const budget = failureBudget(perSecond, testClocks().monotonic)
  for (let index = 0; index < 1000; index++) budget.reserve(attempt('a'), 100).giveBack()
  const { first, giveBack } = budget.reserve(attempt('a'), 1_000_000)
  assert.equal(first, true)
  assert.equal(
    failures(budget, 1, () => attempt('b', '192.0.2.9', '0neB')),
    0,
    'while it lasts',
  )
  giveBack()
  assert.equal(
    failures(budget, 100, () => attempt('b')),
    6,
  )
})

test('one device that fails again and again takes little from the others at its address', () => {
  const budget = failureBudget(perSecond, testClocks().monotonic)
  failures(budget, 100, () => attempt('broken'))
  assert.equal(
    failures(budget, 100, (index) => attempt(`d-${index}`)),
    20,
  )
})

test("what a device is charged for alone is nobody else's", () => {
  const budget = failureBudget(perSecond, testClocks().monotonic)
  for (let index = 0; index < 6; index++) budget.charge(attempt('a'), 100)
  assert.throws(() => budget.charge(attempt('a'), 100), { reason: 'Throttled' })
  budget.charge(attempt('a', '192.0.2.2'), 100)
  assert.equal(
    failures(budget, 100, (index) => attempt(`d-${index}`)),
    26,
  )
})
