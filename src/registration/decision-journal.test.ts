import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { jumps, testClocks } from '../../test/fixtures/clocks.ts'
import type { Decision } from '../model/decision.ts'
import { timestamp } from '../model/timestamp.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import type { Store } from '../store/store.ts'
import { decisionJournal, unattributed, type Retention } from './decision-journal.ts'

const idScope = '0ne00000001'
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
  findings: [],
  outcome: 'refused',
  milliseconds: 1,
  ...more,
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
const generous: Retention = { age: day, count: 1000 }
const count = async (store: Store, of: string) => (await store.decisions.find(of, { limit: 10_000 })).length

test('what was recorded is in the store when the journal is closed', () =>
  withStore(async (store) => {
    {
      await using journal = decisionJournal(store, generous, testClocks(500), fail)
      for (let time = 0; time < 120; time++) journal.record(decision(time))
    }
    assert.equal(await count(store, idScope), 120)
  }))

test('an instance keeps its newest records, and about a tenth more until they are counted again', () =>
  withStore(async (store) => {
    await using journal = decisionJournal(store, { age: day, count: 100 }, testClocks(5000), fail)
    for (let time = 0; time < 1000; time++) journal.record(decision(time))
    await journal.written()
    const kept = await store.decisions.find(idScope, { limit: 10_000 })
    assert.ok(kept.length >= 100 && kept.length <= 160, `${kept.length}`)
    assert.deepEqual([kept.at(0)?.decision.time, kept.at(99)?.decision.time], [999, 900])
  }))

test('attempts at ID scopes that nobody has share one small place, whatever they are called', () =>
  withStore(async (store) => {
    await using journal = decisionJournal(store, { age: day, count: 20 }, testClocks(5000), fail)
    journal.record(decision(1))
    for (let time = 0; time < 500; time++) journal.record(decision(time, { idScope: `0neFFFF${time}` }))
    await journal.written()
    assert.ok((await count(store, unattributed)) <= 80)
    assert.equal(await count(store, idScope), 1, 'a stranger has not pushed out what an instance has')
    assert.equal(await store.decisions.scopeAfter(idScope), undefined)
  }))

test('records older than they are to be kept go, also those of an instance that is no more', () =>
  withStore(async (store) => {
    await store.transact((write) => write.decisions.add('0ne0000DEAD', decision(10, { idScope: '0ne0000DEAD' })))
    await using journal = decisionJournal(store, { age: 1000, count: 100 }, testClocks(5000), fail)
    for (const time of [3999, 4000, 4999]) journal.record(decision(time))
    await journal.written()
    assert.deepEqual(
      (await store.decisions.find(idScope, { limit: 9 })).map((kept) => kept.decision.time),
      [4999, 4000],
    )
    assert.equal(await count(store, '0ne0000DEAD'), 0)
  }))

test('nothing goes by its age for an hour after the clock was set, and what is old goes after that', async () => {
  for (const jump of jumps) {
    await withStore(async (store) => {
      const time = testClocks()
      await using journal = decisionJournal(store, { age: 1000, count: 100 }, time, fail)
      const keptAfter = async (minutes: number) => {
        time.pass(minutes * 60_000)
        journal.record(decision(time.clock(), { idScope: unattributed }))
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
    await using journal = decisionJournal(broken, generous, testClocks(0), (fault) => faults.push(fault))
    journal.record(decision(1))
    await journal.written()
    assert.equal(journal.lost(), 1)
    assert.match(String(faults[0]), /the disk is full/)
  }))

test('what comes faster than it can be written is lost rather than kept waiting without end', () =>
  withStore(async (store) => {
    await using journal = decisionJournal(store, { age: day, count: 10 }, testClocks(5000), fail)
    for (let time = 0; time < 20_050; time++) journal.record(decision(time))
    assert.equal(journal.lost(), 50)
  }))

test('who waits for what was recorded is not kept by what comes after', () =>
  withStore(async (store) => {
    await using journal = decisionJournal(store, generous, testClocks(5000), fail)
    journal.record(decision(1))
    let flooding = true
    const flood = () => {
      for (let time = 0; time < 60; time++) journal.record(decision(time))
      if (flooding) setImmediate(flood)
    }
    flood()
    await journal.written()
    flooding = false
    assert.ok((await count(store, idScope)) > 0)
  }))
