import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, list, member, object, open } from '../../test/fixtures/bundled-hub.ts'
import type { BundledHub } from './bundled-hub.ts'
import type { Json, JsonObject } from '../base/json.ts'

test('a new twin has version 1 of desired and reported properties, and says when they were written', async () => {
  const now = Date.parse('2031-03-02T10:00:01.250Z')
  await using hub = await open({ clock: () => now })
  await ask(hub, 'PUT', '/devices/d', {})
  const answer = await ask(hub, 'GET', '/twins/d')
  assert.equal(answer.headers?.['ETag'], '"AAAAAAAAAAE="')
  const $lastUpdated = '2031-03-02T10:00:01.250Z'
  assert.deepEqual(object(answer)['properties'], {
    desired: { $metadata: { $lastUpdated, $lastUpdatedVersion: 1 }, $version: 1 },
    reported: { $metadata: { $lastUpdated }, $version: 1 },
  })
})

test('a patch merges, null removes, arrays replace, and metadata follows with the version that wrote each member', async () => {
  await using hub = await open({ clock: () => 0 })
  await ask(hub, 'PUT', '/devices/d', {})
  await patch(hub, { properties: { desired: { a: { b: 1, c: 2 }, list: [1, 2] } } })
  const answer = await patch(hub, { properties: { desired: { a: { b: null, d: 3 }, list: [3] } } })
  const desired = member(object(answer), 'properties', 'desired') as JsonObject
  assert.deepEqual(
    { a: desired['a'], list: desired['list'], $version: desired['$version'] },
    { a: { c: 2, d: 3 }, list: [3], $version: 3 },
  )
  assert.equal(member(desired['$metadata'], 'a', 'c', '$lastUpdatedVersion'), 2)
  assert.equal(member(desired['$metadata'], 'a', 'd', '$lastUpdatedVersion'), 3)
  assert.equal(member(desired['$metadata'], 'a', 'b'), undefined)
  assert.equal(member(desired['$metadata'], 'a', '$lastUpdatedVersion'), 3)
})

test('null clears tags, desired properties, or all properties of a service, by PATCH and by PUT, and changes nothing twice', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/d', {})
  for (const method of ['PATCH', 'PUT'])
    for (const cleared of [{ tags: null }, { properties: { desired: null } }, { properties: null }] as JsonObject[]) {
      await patch(hub, { tags: { line: 4 }, properties: { desired: { mode: 'eco', deep: { a: 1 } } } })
      const answer = object(await ask(hub, method, '/twins/d', cleared))
      const desired = Object.keys(member(answer, 'properties', 'desired') as JsonObject).filter(
        (name) => name[0] !== '$',
      )
      assert.deepEqual(answer['tags'], 'tags' in cleared ? {} : { line: 4 })
      assert.deepEqual(desired, 'tags' in cleared ? ['mode', 'deep'] : [])
      const again = object(await ask(hub, method, '/twins/d', cleared))
      assert.equal(again['version'], answer['version'])
    }
})

test('a twin that was read can be put back as it was read: what the hub added is left out', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/d', {})
  await patch(hub, { tags: { line: 4 }, properties: { desired: { mode: 'eco' } } })
  const read = object(await ask(hub, 'GET', '/twins/d'))
  const put = await ask(hub, 'PUT', '/twins/d', read)
  assert.equal(put.status, 200)
  assert.equal(member(object(put), 'properties', 'desired', 'mode'), 'eco')
  assert.equal(object(put)['version'], read['version'])
})

test('PUT replaces the parts it names, and removes what they lack', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/d', {})
  await patch(hub, { tags: { line: 4 }, properties: { desired: { mode: 'eco', rate: 5 } } })
  const twin = object(await ask(hub, 'PUT', '/twins/d', { properties: { desired: { rate: 6 } } }))
  assert.deepEqual(twin['tags'], { line: 4 })
  assert.equal(member(twin, 'properties', 'desired', 'mode'), undefined)
  assert.equal(member(twin, 'properties', 'desired', 'rate'), 6)
})

test('a twin is changed under its current entity tag only', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/d', {})
  const under = (match: string) =>
    ask(hub, 'PATCH', '/twins/d', { tags: { a: match } }, { headers: { 'if-match': match } })
  assert.equal((await under('"AAAAAAAAAAk="')).status, 412)
  assert.equal((await under('"AAAAAAAAAAE="')).status, 200)
  assert.equal((await under('AAAAAAAAAAE=')).status, 412)
  assert.equal((await under('"*"')).status, 200)
})

test('a twin refuses what the rules forbid, and stays as it was', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/d', {})
  for (const [what, tags, status] of [
    ['a dot in a name', { 'a.b': 1 }, 400],
    ['a dollar in a name', { $a: 1 }, 400],
    ['a blank in a name', { 'a b': 1 }, 400],
    ['a control character in a name', { 'a\u0007': 1 }, 400],
    ['a name of more than 1 KiB', { ['n'.repeat(1025)]: 1 }, 400],
    ['a text of more than 4 KiB', { a: 't'.repeat(4097) }, 400],
    ['eleven levels', nested(11), 400],
    ['a null in an array', { a: [null] }, 400],
    ['an integer beyond 2^52', { a: 2 ** 53 }, 400],
    ['more than 8 KiB of tags', { a: 't'.repeat(4096), b: 't'.repeat(4096) }, 413],
  ] as const) {
    assert.equal((await patch(hub, { tags })).status, status, what)
    assert.deepEqual(object(await ask(hub, 'GET', '/twins/d'))['tags'], {}, what)
  }
})

test('ten levels, and desired properties of 32 KiB, are accepted', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/d', {})
  assert.equal((await patch(hub, { tags: nested(10) })).status, 200)
  const desired = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`k${index}`, 't'.repeat(4000)]))
  assert.equal((await patch(hub, { properties: { desired } })).status, 200)
  assert.equal((await patch(hub, { properties: { desired: { k9: 't'.repeat(4000) } } })).status, 413)
})

test('bulk creates devices with tags, desired and reported properties, as a move between hubs needs', async () => {
  await using hub = await open()
  const properties = { desired: { mode: 'eco', $version: 9 }, reported: { firmware: '1.2', $metadata: {} } }
  const item = { id: 'd', importMode: 'create', status: 'disabled', tags: { line: 4 }, properties }
  const answer = await ask(hub, 'POST', '/devices', [item])
  assert.deepEqual(object(answer), { isSuccessful: true, errors: [], warnings: [] })
  const twin = object(await ask(hub, 'GET', '/twins/d'))
  assert.equal(twin['status'], 'disabled')
  assert.deepEqual(twin['tags'], { line: 4 })
  assert.equal(member(twin, 'properties', 'desired', '$version'), 2)
  assert.equal(member(twin, 'properties', 'reported', 'firmware'), '1.2')
  assert.equal(member(twin, 'properties', 'reported', '$version'), 2)
})

test('bulk tells item by item what failed, and does the rest', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/there', {})
  const answer = await ask(hub, 'POST', '/devices', [
    { id: 'new' },
    { id: 'there', importMode: 'Create' },
    { id: 'nobody', importMode: 'updateTwin', tags: { a: 1 } },
    { id: 'new', importMode: 'delete' },
    { id: 'bad name' },
    { id: 'x', importMode: 'sideways' },
  ])
  assert.equal(answer.status, 400)
  const errors = object(answer)['errors'] as JsonObject[]
  assert.deepEqual(
    errors.map(({ deviceId, errorCode }) => [deviceId, errorCode]),
    [
      ['there', 'DeviceAlreadyExists'],
      ['nobody', 'DeviceNotFound'],
      ['new', 'ArgumentInvalid'],
      ['bad name', 'ArgumentInvalid'],
      ['x', 'ArgumentInvalid'],
    ],
  )
  assert.equal((await ask(hub, 'GET', '/devices/new')).status, 200)
})

test('bulk updates and deletes under an entity tag when it is asked to', async () => {
  await using hub = await open()
  const etag = String(object(await ask(hub, 'PUT', '/devices/d', {}))['etag'])
  const bulk = async (item: JsonObject) => (await ask(hub, 'POST', '/devices', [{ id: 'd', ...item }])).status
  assert.equal(await bulk({ importMode: 'updateIfMatchEtag', eTag: 'eA==', status: 'disabled' }), 400)
  assert.equal(await bulk({ importMode: 'updateIfMatchETag', eTag: etag, status: 'disabled' }), 200)
  assert.equal(await bulk({ importMode: 'updateTwinIfMatchETag', twinETag: 'AAAAAAAAAAk=', tags: { a: 1 } }), 400)
  assert.equal(await bulk({ importMode: 'updateTwinIfMatchETag', twinETag: 'AAAAAAAAAAE=', tags: { a: 1 } }), 200)
  assert.equal(await bulk({ importMode: 'deleteIfMatchETag', eTag: etag }), 400)
  assert.equal(await bulk({ importMode: 'delete' }), 200)
  assert.equal((await ask(hub, 'GET', '/devices/d')).status, 404)
})

test('modules are created, listed, given twins and deleted, and go with their device', async () => {
  await using hub = await open()
  assert.equal((await ask(hub, 'PUT', '/devices/d/modules/m', {})).status, 404)
  await ask(hub, 'PUT', '/devices/d', {})
  const module = object(await ask(hub, 'PUT', '/devices/d/modules/m', { managedBy: 'me' }))
  assert.equal(module['moduleId'], 'm')
  assert.equal(module['managedBy'], 'me')
  assert.equal((await ask(hub, 'PUT', '/devices/d/modules/m', {})).status, 409)
  const twin = object(await ask(hub, 'PATCH', '/twins/d/modules/m', { properties: { desired: { rate: 1 } } }))
  assert.equal(twin['moduleId'], 'm')
  assert.equal(member(twin, 'properties', 'desired', 'rate'), 1)
  assert.equal((await ask(hub, 'GET', '/devices/d/modules/x')).headers?.['iothub-errorcode'], 'ModuleNotFound')
  assert.deepEqual(
    list(await ask(hub, 'GET', '/devices/d/modules')).map(({ moduleId }) => moduleId),
    ['m'],
  )
  assert.equal((await ask(hub, 'DELETE', '/devices/d/modules/m')).status, 204)
  await ask(hub, 'PUT', '/devices/d/modules/n', {})
  await ask(hub, 'DELETE', '/devices/d')
  await ask(hub, 'PUT', '/devices/d', {})
  assert.deepEqual(list(await ask(hub, 'GET', '/devices/d/modules')), [])
})

test('statistics count what is there', async () => {
  await using hub = await open()
  await ask(hub, 'POST', '/devices', [{ id: 'a' }, { id: 'b', status: 'disabled' }, { id: 'c' }])
  assert.deepEqual(object(await ask(hub, 'GET', '/statistics/devices')), {
    totalDeviceCount: 3,
    enabledDeviceCount: 2,
    disabledDeviceCount: 1,
  })
  assert.deepEqual(object(await ask(hub, 'GET', '/statistics/service')), { connectedDeviceCount: 0 })
})

test('devices are listed in order, as many as asked for', async () => {
  await using hub = await open()
  await ask(hub, 'POST', '/devices', [{ id: 'c' }, { id: 'a' }, { id: 'b' }])
  const names = async (top: string) =>
    list(await ask(hub, 'GET', '/devices', undefined, { query: { top } })).map(({ deviceId }) => deviceId)
  assert.deepEqual(await names('2'), ['a', 'b'])
  assert.deepEqual(await names('10'), ['a', 'b', 'c'])
})

function patch(hub: BundledHub, change: Json): Promise<Awaited<ReturnType<typeof ask>>> {
  return ask(hub, 'PATCH', '/twins/d', change)
}

function nested(levels: number): JsonObject {
  return levels === 1 ? { leaf: 1 } : { n: nested(levels - 1) }
}
