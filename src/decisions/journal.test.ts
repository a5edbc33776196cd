import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { IdScope, RegistrationId } from '../model/identifiers.ts'
import { jumps, testClocks } from '../../test/fixtures/clocks.ts'
import type { Decision } from '../model/decision.ts'
import type { IndividualEnrollment } from '../model/enrollment.ts'
import { timestamp, type Clocks } from '../base/time.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import type { Store } from '../store/store.ts'
import { decisionJournal, type DecisionJournalParts, type Retention } from './journal.ts'
import { unattributed } from './share.ts'
import { asEtag, asIdScope, asRegistrationId } from '../../test/fixtures/identifiers.ts'

const idScope = asIdScope('0ne00000001')
const day = 24 * 60 * 60 * 1000
let made = 0

const decision = (time: number, more: Partial<Decision> = {}): Decision => ({
  time,
  trackingId: `t${made++}`,
  idScope,
  registrationId: 'pump',
  protocol: 'Http',
  userAgent: '',
  remoteAddress: '',
  attestation: 'token',
  findings: [{ step: 'attested', enrollment: 'pump', milliseconds: 1 }],
  outcome: 'assigned',
  milliseconds: 1,
  ...more,
})

const refused = (time: number, more: Partial<Decision> = {}): Decision =>
  decision(time, { registrationId: 'x', outcome: 'refused', reason: 'EnrollmentNotFound', findings: [], ...more })

const enrollment = (registrationId: RegistrationId): IndividualEnrollment => ({
  kind: 'individual',
  registrationId,
  attestation: { type: 'tpm', endorsementKey: 'AAAA' },
  provisioningStatus: 'enabled',
  etag: asEtag('etag'),
  createdDateTimeUtc: timestamp(0),
  lastUpdatedDateTimeUtc: timestamp(0),
})

async function withStore(prove: (store: Store) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'hubward-journal-'))
  {
    await using store = openSqliteStore(directory)
    const createdDateTimeUtc = timestamp(0)
    const service = { idScope, name: 'a', hostNames: ['a'], allocationPolicy: 'hashed' as const, createdDateTimeUtc }
    await store.transact((write) => write.services.create(service))
    await prove(store)
  }
  await rm(directory, { recursive: true })
}

const fail = (fault: unknown) => assert.fail(String(fault))

function journalOf(store: Store, retention: Retention, clocks: Clocks, more: Partial<DecisionJournalParts> = {}) {
  return decisionJournal({ ...clocks, store, retention, toldPerMinute: 100, onTold: () => {}, onFault: fail, ...more })
}

const generous: Retention = { age: day, count: 2000 }
const count = async (store: Store, of: IdScope) => (await store.decisions.find(of, { limit: 10_000 })).length

test('what was recorded is in the store when the journal is closed', () =>
  withStore(async (store) => {
    {
      await using journal = journalOf(store, generous, testClocks(500))
      for (let time = 0; time < 120; time++) journal.record(decision(time))
    }
    assert.equal(await count(store, idScope), 120)
  }))

test('an instance keeps its newest records, and about a tenth more until they are counted again', () =>
  withStore(async (store) => {
    await using journal = journalOf(store, { age: day, count: 200 }, testClocks(5000))
    for (let time = 0; time < 1000; time++) journal.record(decision(time))
    await journal.written()
    const kept = await store.decisions.find(idScope, { limit: 10_000 })
    assert.ok(kept.length >= 100 && kept.length <= 160, `${kept.length}`)
    assert.deepEqual([kept.at(0)?.decision.time, kept.at(99)?.decision.time], [999, 900])
  }))

test('attempts at ID scopes that nobody has share one small place, whatever they are called', () =>
  withStore(async (store) => {
    await using journal = journalOf(store, { age: day, count: 20 }, testClocks(5000))
    journal.record(decision(1))
    for (let time = 0; time < 500; time++) journal.record(refused(time, { idScope: asIdScope(`0neFFFF${time}`) }))
    await journal.written()
    assert.ok((await count(store, unattributed)) <= 80)
    assert.equal(await count(store, idScope), 1, 'a stranger has not pushed out what an instance has')
    assert.equal(await store.decisions.scopeAfter(idScope), undefined)
  }))

test('records older than they are to be kept go, also those of an instance that is no more', () =>
  withStore(async (store) => {
    await store.transact((write) =>
      write.decisions.add(asIdScope('0ne0000DEAD'), 'known', decision(10, { idScope: '0ne0000DEAD' })),
    )
    await using journal = journalOf(store, { age: 1000, count: 100 }, testClocks(5000))
    for (const time of [3999, 4000, 4999]) journal.record(decision(time))
    await journal.written()
    assert.deepEqual(
      (await store.decisions.find(idScope, { limit: 9 })).map((kept) => kept.decision.time),
      [4999, 4000],
    )
    assert.equal(await count(store, asIdScope('0ne0000DEAD')), 0)
  }))

test('nothing goes by its age for an hour after the clock was set, and what is old goes after that', async () => {
  for (const jump of jumps) {
    await withStore(async (store) => {
      const time = testClocks()
      await using journal = journalOf(store, { age: 1000, count: 100 }, time)
      const keptAfter = async (minutes: number) => {
        time.pass(minutes * 60_000)
        journal.record(refused(time.clock(), { idScope: unattributed }))
        await journal.written()
        return count(store, idScope)
      }
      journal.record(decision(time.clock()))
      await journal.written()
      time.set(jump)
      assert.deepEqual([await keptAfter(0), await keptAfter(59)], [1, 1])
      // After a clock that was set back by a year, the record is of a day to come.
      assert.equal(await keptAfter(120), jump < -120 * 60_000 ? 1 : 0)
    })
  }
})

test('a store that cannot write costs records, is reported, and holds nobody up', () =>
  withStore(async (store) => {
    const faults: unknown[] = []
    const broken: Store = { ...store, transact: () => Promise.reject(new Error('the disk is full')) }
    await using journal = journalOf(broken, generous, testClocks(0), { onFault: (fault) => faults.push(fault) })
    journal.record(decision(1))
    await journal.written()
    assert.deepEqual(journal.lost(), { accepted: 1, known: 0, stranger: 0 })
    assert.match(String(faults[0]), /the disk is full/)
  }))

test('what comes faster than it can be written is lost rather than kept waiting without end, each share for itself', () =>
  withStore(async (store) => {
    await using journal = journalOf(store, generous, testClocks(5000), { toldPerMinute: 1_000_000 })
    const detail = 'x'.repeat(1000)
    for (let time = 0; time < 10_000; time++) journal.record(refused(time, { detail }))
    while (journal.lost().stranger === 0) await setImmediate()
    for (let time = 0; time < 100; time++) journal.record(decision(time, { detail }))
    const { stranger, ...others } = journal.lost()
    assert.ok(stranger > 2000, `${stranger}`)
    assert.deepEqual(others, { accepted: 0, known: 0 })
  }))

test('84,000 attempts of strangers push out no record of a device that is known or was accepted, and all are counted', () =>
  withStore(async (store) => {
    const told: Decision[] = []
    const onTold = (decision: Decision) => void told.push(decision)
    await store.transact((write) => write.enrollments.create(idScope, enrollment(asRegistrationId('pump'))))
    await using journal = journalOf(store, { age: day, count: 1000 }, testClocks(5000), { onTold })
    for (let time = 0; time < 20; time++) journal.record(decision(time))
    for (let time = 20; time < 40; time++) journal.record(refused(time, { registrationId: 'PUMP' }))
    const before = { registrationId: 'pump', limit: 1000 }
    for (let time = 100; time < 84_100; time++) {
      journal.record(refused(time, { registrationId: `s${time}`, remoteAddress: `192.0.2.${time % 7}` }))
      if (time % 1000 === 0) await setImmediate()
    }
    journal.record(refused(99_000, { registrationId: 'pump' }))
    await journal.written()
    assert.equal((await store.decisions.find(idScope, before)).length, 41)
    const strangers = told.filter(({ registrationId }) => registrationId.startsWith('s'))
    assert.equal(
      strangers.reduce((sum, { alike = 0 }) => sum + 1 + alike, 0),
      84_000,
    )
    assert.ok(strangers.length <= 710, `${strangers.length} told of`)
    assert.deepEqual(journal.counted(), [{ idScope, reason: 'EnrollmentNotFound', times: 84_000 - 700 }])
    assert.deepEqual(journal.lost(), { accepted: 0, known: 0, stranger: 0 })
    const [last] = await store.decisions.find(idScope, { registrationId: strangers.at(-1)!.registrationId, limit: 1 })
    assert.ok((last?.decision.alike ?? 0) > 10_000, 'the last of a flood says how many it stands for')
  }))

test('a known device that is refused again and again, or whose ID somebody else uses, hides no other', () =>
  withStore(async (store) => {
    const told: Decision[] = []
    const onTold = (decision: Decision) => void told.push(decision)
    await store.transact((write) => {
      for (const id of ['pump', 'valve']) write.enrollments.create(idScope, enrollment(asRegistrationId(id)))
    })
    await using journal = journalOf(store, generous, testClocks(5000), { onTold, toldPerMinute: 5 })
    for (let time = 0; time < 1000; time++) journal.record(refused(time, { registrationId: 'pump' }))
    journal.record(refused(2000, { registrationId: 'pump', remoteAddress: '192.0.2.1' }))
    journal.record(refused(2001, { registrationId: 'pump', reason: 'TokenExpired' }))
    journal.record(refused(2002, { registrationId: 'valve' }))
    await journal.written()
    const times = told.map(({ time }) => time)
    assert.deepEqual(times, [0, 1, 2, 3, 4, 2000, 2001, 2002, 999])
  }))

test('who waits for what was recorded is not kept by what comes after', () =>
  withStore(async (store) => {
    await using journal = journalOf(store, generous, testClocks(5000))
    journal.record(decision(1))
    let flooding = true
    const flood = () => {
      for (let time = 0; time < 60; time++) journal.record(decision(time))
      if (flooding) globalThis.setImmediate(flood)
    }
    flood()
    await journal.written()
    flooding = false
    assert.ok((await count(store, idScope)) > 0)
  }))
