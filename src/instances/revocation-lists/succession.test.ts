import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timestamp } from '../../base/time.ts'
import { Refusal } from '../../model/refusal.ts'
import type { RevocationList } from '../../model/revocation.ts'
import { demandRoom } from './succession.ts'

const now = timestamp(0)
const list = (name: string, revoked: number, authorities = ['A']): RevocationList => ({
  name,
  revoked,
  authorities,
  issuer: '',
  thisUpdate: now,
  lastUpdatedDateTimeUtc: now,
})

const isQuota = (says: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Refusal && error.reason === 'QuotaReached', String(error))
  assert.match(error.detail, says)
  return true
}

test('an instance has at most a hundred lists', () => {
  const lists = (count: number) => Array.from({ length: count }, (_, index) => list(`list-${index}`, 0))
  demandRoom(1, lists(99))
  assert.throws(() => demandRoom(0, lists(100)), isQuota(/^the instance has its 100 lists already$/))
})

test('the lists of an instance revoke at most a million certificates, each counted for each authority', () => {
  const others = [list('one', 400_000), list('two', 299_999, ['A', 'B'])]
  demandRoom(2, others)
  assert.throws(() => demandRoom(3, others), isQuota(/revoke 999998 certificates; 3 more are above 1000000$/))
  assert.throws(() => demandRoom(1_000_001, []), isQuota(/revoke 0 certificates/))
})
