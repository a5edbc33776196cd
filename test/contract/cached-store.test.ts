import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Secret } from '../../src/base/secret.ts'
import { cachedStore } from '../../src/store/cached-store.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import { asIdScope } from '../fixtures/identifiers.ts'

const hub = {
  hostName: 'hub-a.example',
  keyName: 'owner',
  key: new Secret(Buffer.alloc(32, 1)),
  location: 'here',
  allocationWeight: 1,
  applyAllocationPolicy: true,
}

test('what is written through the cache is seen at once; what another node wrote, once the memory is stale', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hubward-cache-'))
  let now = 0
  await using here = cachedStore(openSqliteStore(directory), () => now, 1000)
  await using elsewhere = openSqliteStore(directory)
  assert.deepEqual(await here.linkedHubs.all(asIdScope('s')), [])

  await here.transact((write) => write.linkedHubs.put(asIdScope('s'), hub))
  assert.equal((await here.linkedHubs.all(asIdScope('s'))).length, 1)

  await elsewhere.transact((write) => write.linkedHubs.delete(asIdScope('s'), hub.hostName))
  assert.equal((await here.linkedHubs.all(asIdScope('s'))).length, 1, 'remembered')
  now = 1000
  assert.equal((await here.linkedHubs.all(asIdScope('s'))).length, 0)
})
