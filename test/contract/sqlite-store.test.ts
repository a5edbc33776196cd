import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { IdScope } from '../../src/model/identifiers.ts'
import { cachedStore } from '../../src/store/cached-store.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import type { Store } from '../../src/store/store.ts'
import { migrations } from '../../src/store/tables/schema.ts'
import { storeContract } from './store.ts'
import { asIdScope } from '../fixtures/identifiers.ts'

const directories = new WeakMap<Store, string>()

for (const [name, wrap] of [
  ['SQLite', (store: Store) => store],
  ['SQLite behind the cache', (store: Store) => cachedStore(store, Date.now, 60_000)],
] as const) {
  const open = async (directory = mkdtempSync(join(tmpdir(), 'hubward-store-'))) => {
    const store = wrap(openSqliteStore(directory))
    directories.set(store, directory)
    return store
  }
  storeContract(
    name,
    () => open(),
    async (store) => {
      await store[Symbol.asyncDispose]()
      return open(directories.get(store))
    },
  )
}

test('decision records of a data folder from before there were shares stay, and strangers do not push them out', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hubward-store-'))
  const before = migrations.findIndex((step) => step.includes('decisions_of_share'))
  const old = new DatabaseSync(join(directory, 'hubward.db'))
  for (const step of migrations.slice(0, before)) old.exec(step)
  const insert = old.prepare('insert into decisions values (?, ?, ?, ?, ?)')
  for (const idScope of ['0ne1', '']) insert.run(idScope, '00000000000001-t', 'pump', 't', JSON.stringify({ time: 1 }))
  old.exec(`pragma user_version = ${before}`)
  old.close()
  await using store = openSqliteStore(directory)
  const idsLeft = async (idScope: IdScope) => (await store.decisions.find(idScope, { limit: 9 })).length
  assert.deepEqual([await idsLeft(asIdScope('0ne1')), await idsLeft(asIdScope(''))], [1, 1])
  const counts = new Map([['known', 1] as const, ['stranger', 0] as const])
  await store.transact((write) => {
    for (const idScope of ['0ne1', '']) write.decisions.keep(asIdScope(idScope), { since: 0, counts })
  })
  assert.deepEqual([await idsLeft(asIdScope('0ne1')), await idsLeft(asIdScope(''))], [1, 0])
})
