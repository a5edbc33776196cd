import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { IdScope } from '../model/identifiers.ts'
import { openBundledHub } from '../bundled-hub/bundled-hub.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { firstInstance } from '../instances/first-instance.ts'

/** One start of the service on this folder, with what an operator does while it runs. */
async function start(
  directory: string,
  hostNames: readonly string[],
  operate: (store: ReturnType<typeof openSqliteStore>, idScope: IdScope) => Promise<void> = async () => {},
) {
  await using store = openSqliteStore(directory)
  const onFault = (fault: unknown) => assert.fail(String(fault))
  await using hub = await openBundledHub({ directory, hostNames, clock: Date.now, onFault })
  const { service, policy } = await firstInstance(store, 'dps.example', hub, Date.now)
  const hubs = (await store.linkedHubs.all(service.idScope)).map(({ hostName }) => hostName)
  await operate(store, service.idScope)
  return { idScope: service.idScope, policy, hubs }
}

test('the first start makes an ID scope, an owner policy and the links; later starts keep what operators made of them', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hubward-first-'))
  const first = await start(directory, ['a.example', 'b.example'], async (store, idScope) => {
    await store.transact((write) => {
      write.linkedHubs.delete(idScope, 'a.example')
      write.policies.delete(idScope, 'provisioningserviceowner')
    })
  })
  assert.match(first.idScope, /^0ne[0-9A-F]{8}$/)
  assert.equal(first.policy?.rights.join(', '), 'ServiceConfig, DeviceConnect, EnrollmentWrite')
  assert.deepEqual(first.hubs, ['a.example', 'b.example'])

  const second = await start(directory, ['a.example', 'b.example', 'c.example'])
  assert.equal(second.idScope, first.idScope)
  assert.equal(second.policy, undefined, 'what was deleted does not come back')
  assert.deepEqual(second.hubs, ['b.example', 'c.example'], 'what was unlinked stays so, what is new is linked')
})
