import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Json } from '../base/json.ts'
import { generousLimits } from '../model/limits.ts'
import { Refusal, type RefusalReason } from '../model/refusal.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import type { Precondition } from '../wire/precondition.ts'
import { instanceJson, resourceOf } from './instance-resource.ts'
import { deleteInstance, limitInstance, putInstance, retagInstance, type Administration } from './instances.ts'
import { nameAvailability } from './names.ts'
import { policyNamed, regenerateKey } from './shared-access-policies.ts'

const folder = mkdtempSync(join(tmpdir(), 'hubward-instances-'))
const store = openSqliteStore(folder)
after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})
let renamed = 0
const parts: Administration = {
  store,
  clock: () => Date.UTC(2031, 2, 4),
  deviceHost: 'dps.example',
  hostNameFor: (name) => `${name}.example`,
  limits: () => generousLimits,
  onHostNames: async () => void renamed++,
}
const place = (instance: string) => ({ subscription: 's', group: 'g', instance })
const put = (instance: string, body: Json, precondition: Precondition = 'none', demandHostNames = () => {}) =>
  putInstance({ place: place(instance), body, precondition, demandHostNames }, parts)
const refused = (reason: RefusalReason) => (error: unknown) => error instanceof Refusal && error.reason === reason
const hub = (name: string, key = 'a2V5') => ({
  connectionString: `HostName=${name};SharedAccessKeyName=owner;SharedAccessKey=${key}`,
})

test('a new instance has an ID scope, a host name and an owner policy of its own, and is found in any letter case', async () => {
  const { service, before } = await put('Plant', {})
  assert.equal(before, undefined)
  assert.match(service.idScope, /^0ne[0-9A-F]{8}$/)
  assert.deepEqual(service.hostNames, ['plant.example'])
  assert.deepEqual(
    (await store.policies.all(service.idScope)).map(({ keyName }) => keyName),
    ['provisioningserviceowner'],
  )
  assert.equal(renamed, 1, 'whoever keeps the server certificate hears of the name')
  assert.equal((await put('PLANT', {})).before?.service.idScope, service.idScope)
})

test('an update replaces what it mentions and keeps the rest; a masked key written back is the key that was', async () => {
  const { service } = await put('kept', {
    location: 'here',
    tags: { a: '1' },
    properties: { iotHubs: [hub('a.example')] },
  })
  const shown = instanceJson(service, await store.linkedHubs.all(service.idScope), 'dps.example')
  const again = await put('kept', { properties: shown['properties'], tags: { b: '2' } })
  assert.equal(resourceOf(again.service).location, 'here')
  assert.deepEqual(resourceOf(again.service).tags, { b: '2' })
  const [linked] = await store.linkedHubs.all(service.idScope)
  assert.equal(linked?.key.revealBase64(), 'a2V5')

  await put('kept', { properties: { iotHubs: [hub('b.example')] } })
  const names = (await store.linkedHubs.all(service.idScope)).map(({ hostName }) => hostName)
  assert.deepEqual(names, ['b.example'], 'a hub that is not mentioned among others is no longer linked')
})

test('of two that write an instance over the same etag one is refused, however close together they come', async () => {
  const etag = resourceOf((await put('raced', {})).service).etag
  const results = await Promise.allSettled(['1', '2'].map((value) => put('raced', { tags: { value } }, { etag })))
  assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  const [lost] = results.filter((result) => result.status === 'rejected')
  assert.ok(refused('ResourceEtagMismatch')(lost?.reason))
})

test('tags, limits and keys are changed each without undoing the other', async () => {
  const { service } = await put('crowded', {})
  await Promise.all([
    retagInstance(place('crowded'), { tags: { line: '7' } }, parts),
    limitInstance(place('crowded'), { registrations: 7 }, store),
    put('crowded', { location: 'there' }),
    regenerateKey('provisioningserviceowner', 'secondary', service, store),
  ])
  const after = (await store.services.all()).find(({ idScope }) => idScope === service.idScope)
  assert.deepEqual(after?.limits, { registrations: 7 })
  assert.deepEqual(after?.resource?.tags, { line: '7' })
  assert.equal(after?.resource?.location, 'there')
})

test('a regenerated key is another one, and the other key of the policy stays', async () => {
  const { service } = await put('keyed', {})
  const before = await policyNamed('ProvisioningServiceOwner', service, store)
  const renewed = await regenerateKey('provisioningserviceowner', 'primary', service, store)
  assert.ok(!renewed.primaryKey.equals(before.primaryKey) && renewed.secondaryKey.equals(before.secondaryKey))
  await assert.rejects(regenerateKey('nobody', 'primary', service, store), refused('ResourceAbsent'))
})

test('host names are given to who may choose them, and to one instance only', async () => {
  const forbid = () => {
    throw new Refusal('ManagementRoleMissing', 'not yours')
  }
  await put('named', {}, 'none', forbid)
  const wanted = { properties: { hostNames: ['mine.example'] } }
  await assert.rejects(put('named', wanted, 'none', forbid), refused('ManagementRoleMissing'))
  await put('named', wanted)
  await assert.rejects(put('other-name', wanted), refused('InstanceExists'))
  assert.ok(!(await store.services.all()).some(({ name }) => name === 'other-name'))
})

test('a name is free until somebody has it in any letter case, and some can never be', async () => {
  await put('taken', {})
  assert.deepEqual(await nameAvailability('free-name', store), { nameAvailable: true })
  for (const [name, reason] of [
    ['TAKEN', 'AlreadyExists'],
    ['ab', 'Invalid'],
    ['12345', 'Invalid'],
    ['-abc', 'Invalid'],
    ['a'.repeat(51), 'Invalid'],
  ]) {
    const found = await nameAvailability(name!, store)
    assert.equal(found.nameAvailable === false && found.reason, reason, name)
  }
  await assert.rejects(put('taken-', {}), refused('MemberInvalid'))
})

test('what is deleted is gone with all that belongs to it, deleting it again is no error, and the own one stays', async () => {
  const { service } = await put('doomed', {})
  await assert.rejects(deleteInstance(place('doomed'), { etag: 'other' }, parts), refused('ResourceEtagMismatch'))
  assert.equal((await deleteInstance(place('doomed'), 'none', parts))?.idScope, service.idScope)
  assert.deepEqual(await store.policies.all(service.idScope), [])
  assert.equal(await deleteInstance(place('doomed'), 'none', parts), undefined)
  await put('own', { properties: { hostNames: ['dps.example'] } })
  await assert.rejects(deleteInstance(place('own'), 'none', parts), refused('InstanceInUse'))
  await assert.rejects(retagInstance(place('doomed'), {}, parts), refused('InstanceAbsent'))
})
