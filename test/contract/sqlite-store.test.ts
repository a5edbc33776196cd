import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cachedStore } from '../../src/store/cached-store.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import type { Store } from '../../src/store/store.ts'
import { storeContract } from './store.ts'

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
