import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import type { Store } from '../../src/store/store.ts'
import { storeContract } from './store.ts'

const directories = new WeakMap<Store, string>()

async function open(directory = mkdtempSync(join(tmpdir(), 'hubward-store-'))): Promise<Store> {
  const store = openSqliteStore(directory)
  directories.set(store, directory)
  return store
}

storeContract(
  'SQLite',
  () => open(),
  async (store) => {
    await store[Symbol.asyncDispose]()
    return open(directories.get(store))
  },
)
