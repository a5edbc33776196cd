import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { IdScope, RegistrationId } from '../model/identifiers.ts'
import { azureLimits, limitsOf, type Limits } from '../model/limits.ts'
import { Refusal } from '../model/refusal.ts'
import type { ProvisioningService } from '../model/service.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { throttle } from './throttle.ts'
import { asEtag, asIdScope, asRegistrationId, asTimestamp } from '../../test/fixtures/identifiers.ts'

const directory = mkdtempSync(join(tmpdir(), 'hubward-throttle-'))
const store = openSqliteStore(directory)
after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

const instance = (idScope: IdScope, limits: Partial<Limits> = {}): ProvisioningService => ({
  idScope,
  name: idScope,
  hostNames: [],
  allocationPolicy: 'hashed',
  createdDateTimeUtc: asTimestamp(''),
  limits,
})

/** A clock that stands until it is set. */
function standing() {
  const at = { now: 1_900_000_000_000 }
  const subject = throttle(
    (service) => limitsOf(service, azureLimits),
    store,
    () => at.now,
  )
  return { at, subject }
}

function refusalOf(attempt: () => unknown): Refusal {
  try {
    attempt()
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  throw new Error('nothing was refused')
}

test('the azure preset is what Azure publishes', () => {
  assert.deepEqual(
    [azureLimits.registrationsPerMinute, azureLimits.serviceOperationsPerMinute, azureLimits.pollsPerTenSeconds],
    [1000, 1000, 5],
  )
  assert.deepEqual([azureLimits.caCertificates, azureLimits.linkedHubs, azureLimits.messageBytes], [25, 50, 98_304])
})

test("a minute's worth registers at once, the next minute's worth in order, and the rest is told when to come back", () => {
  const { at, subject } = standing()
  const { turn } = subject.devices
  const service = instance(asIdScope('a'))
  for (let count = 0; count < 1000; count++) assert.equal(turn(service), 0)
  const queued = Array.from({ length: 1000 }, () => turn(service))
  assert.deepEqual(
    queued,
    queued.toSorted((a, b) => a - b),
  )
  assert.deepEqual([queued[0], queued[999]].map(Math.round as (wait?: number) => number), [60, 60_000])
  const later = Array.from({ length: 59 }, () => refusalOf(() => turn(service)).retryAfter)
  assert.equal(new Set(later).size, 59, 'no two of a herd are told the same second')
  assert.deepEqual([Math.min(...later.map(Number)), Math.max(...later.map(Number))], [2, 60])
  assert.equal(refusalOf(() => turn(service)).retryAfter, 2, 'the sixtieth is told what the first was')
  at.now += 60
  assert.ok(turn(service) > 59_000, 'a token has come, and with it one place at the end of the queue')
  assert.equal(refusalOf(() => turn(service)).retryAfter, 3, 'the herd is still the same')
  assert.equal(subject.throttled().get('registration'), 1000 + 60 + 2)
  at.now += 120_060
  assert.equal(turn(service), 0)
  for (let count = 0; count < 1999; count++) turn(service)
  assert.equal(refusalOf(() => turn(service)).retryAfter, 2, 'the next herd is another')
})

test('one instance does not use up what another has', () => {
  const { subject } = standing()
  for (let count = 0; count < 1001; count++) subject.devices.turn(instance(asIdScope('a')))
  assert.equal(subject.devices.turn(instance(asIdScope('b'))), 0)
})

test('a device that polls too often is told to wait longer, and refused only when it does not listen', () => {
  const { at, subject } = standing()
  const poll = (id: RegistrationId) => subject.devices.poll(instance(asIdScope('a')), id)
  const first = Array.from({ length: 10 }, () => poll(asRegistrationId('Pump')))
  assert.deepEqual(first.slice(0, 5), Array.from({ length: 5 }))
  assert.deepEqual(first.slice(5), [2, 4, 6, 8, 10])
  const refusal = refusalOf(() => poll(asRegistrationId('pump')))
  assert.deepEqual([refusal.reason, refusal.errorCode, refusal.retryAfter], ['Throttled', 429001, 10])
  assert.equal(poll(asRegistrationId('valve')), undefined)
  at.now += 20_000
  assert.equal(poll(asRegistrationId('pump')), undefined)
})

test('service operations beyond a minute’s worth wait, a bulk call by its items', () => {
  const { at, subject } = standing()
  const service = instance(asIdScope('a'), { serviceOperationsPerMinute: 20 })
  assert.equal(subject.operators(service, 10), undefined)
  assert.equal(subject.operators(service, 10), undefined)
  assert.equal(subject.operators(service, 1), 2)
  assert.equal(subject.operators(service, 1), 3)
  at.now += 3000
  assert.equal(subject.operators(service, 1), undefined)
  assert.equal(subject.throttled().get('serviceOperation'), 2)
})

test('a payload longer than the instance takes is refused', () => {
  const { subject } = standing()
  const small = instance(asIdScope('a'), { messageBytes: 20 })
  subject.devices.payload(small, { x: '0123456789' })
  assert.equal(refusalOf(() => subject.devices.payload(small, { x: '0123456789012345' })).reason, 'BodyTooLarge')
})

test('a limit that was changed counts from now on', () => {
  const { subject } = standing()
  const turns = (limit: number, count: number) =>
    Array.from({ length: count }, () =>
      subject.devices.turn(instance(asIdScope('changed'), { registrationsPerMinute: limit })),
    )
  assert.ok(turns(10, 15).at(-1)! > 0)
  assert.deepEqual(turns(20, 20), Array(20).fill(0))
})

test('an instance has no more registrations than it may, by a count that is asked for again where it matters', async () => {
  const { at, subject } = standing()
  const limits = { registrations: 20 }
  const service = instance(asIdScope('full'), limits)
  const put = (registrationId: string) =>
    store.transact((write) =>
      write.registrations.put(asIdScope('full'), {
        registrationId: asRegistrationId(registrationId),
        attestationType: 'symmetricKey',
        status: 'assigned',
        createdDateTimeUtc: asTimestamp('2026'),
        lastUpdatedDateTimeUtc: asTimestamp('2026'),
        etag: asEtag('e'),
      }),
    )
  await store.transact((write) => write.services.create(service))
  for (let count = 0; count < 16; count++) await put(`d-${count}`)
  await subject.devices.room(service)
  for (let count = 16; count < 20; count++) await put(`d-${count}`)
  await subject.devices.room(service)
  await assert.rejects(async () => subject.devices.room(service), {
    reason: 'QuotaReached',
    detail: 'the instance has its 20 registrations',
  })
  await assert.rejects(async () => standing().subject.devices.room(service), { reason: 'QuotaReached' })
  at.now += 3_600_000
  await assert.rejects(async () => subject.devices.room(service), { reason: 'QuotaReached' })
})
