import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ask, type Asked, hostName, keyOf, list, member, object, open } from '../../test/fixtures/bundled-hub.ts'
import { signSasToken } from '../wire/sas-token.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { Key } from './key.ts'

test('a device that is created is read back with generated keys, and its ETag is quoted', async () => {
  await using hub = await open()
  const created = await ask(hub, 'PUT', '/devices/unit-77', { deviceId: 'unit-77' })
  assert.equal(created.status, 200)
  const device = object(created)
  assert.equal(member(device, 'authentication', 'type'), 'sas')
  assert.match(String(member(device, 'authentication', 'symmetricKey', 'primaryKey')), /^[A-Za-z0-9+/]{43}=$/)
  assert.equal(created.headers?.['ETag'], `"${String(device['etag'])}"`)
  assert.deepEqual(object(await ask(hub, 'GET', '/devices/unit-77')), device)
})

test('an unknown device is 404 DeviceNotFound in the form the service clients read', async () => {
  await using hub = await open()
  const answer = await ask(hub, 'GET', '/devices/nobody')
  assert.equal(answer.status, 404)
  assert.equal(answer.headers?.['iothub-errorcode'], 'DeviceNotFound')
  assert.match(String(object(answer)['Message']), /^ErrorCode:DeviceNotFound;/)
  assert.match(String(object(answer)['ExceptionMessage']), /^Tracking ID:[0-9a-f-]{36}-TimeStamp:/)
})

test('PUT creates without If-Match only, and updates with the current entity tag only, in every spelling', async () => {
  await using hub = await open()
  const put = (match?: string) => ask(hub, 'PUT', '/devices/d', {}, { headers: match ? { 'if-match': match } : {} })
  assert.equal((await put('*')).status, 404)
  const etag = String(object(await put())['etag'])
  assert.equal((await put()).status, 409)
  assert.equal((await put('"bm8="')).status, 412)
  const second = await put(`"${etag}"`)
  assert.equal(second.status, 200)
  assert.equal((await put(etag)).status, 412)
  const third = await put(String(object(second)['etag']))
  assert.equal(third.status, 200)
  assert.equal((await put('"*"')).status, 200)
})

test('an update that names no keys keeps the keys', async () => {
  await using hub = await open()
  const before = object(await ask(hub, 'PUT', '/devices/d', {}))
  const body = {
    status: 'disabled',
    authentication: { type: 'sas', symmetricKey: { primaryKey: '', secondaryKey: null } },
  }
  const after = object(await ask(hub, 'PUT', '/devices/d', body, { headers: { 'if-match': '*' } }))
  assert.equal(after['status'], 'disabled')
  assert.deepEqual(after['authentication'], before['authentication'])
})

test('a scope is that of an edge device of the hub, as it is now, or is refused; one that was written before may be put back', async () => {
  await using hub = await open()
  const edge = object(await ask(hub, 'PUT', '/devices/edge', { capabilities: { iotEdge: true } }))
  await ask(hub, 'PUT', '/devices/plain', {})
  const scope = String(edge['deviceScope'])
  const leaf = await ask(hub, 'PUT', '/devices/leaf', { deviceScope: scope, parentScopes: [scope] })
  assert.equal(object(leaf)['deviceScope'], scope)
  const wrong = [
    'somewhere',
    scope.slice(0, -1),
    `ms-azure-iot-edge://nobody-${String(edge['generationId'])}`,
    `ms-azure-iot-edge://plain-${String(object(await ask(hub, 'GET', '/devices/plain'))['generationId'])}`,
  ]
  for (const deviceScope of wrong) {
    assert.equal((await ask(hub, 'PUT', '/devices/other', { deviceScope })).status, 400, deviceScope)
    const headers = { 'if-match': '*' }
    assert.equal((await ask(hub, 'PUT', '/devices/leaf', { deviceScope }, { headers })).status, 400, deviceScope)
    assert.equal((await ask(hub, 'PUT', '/devices/leaf', { parentScopes: [deviceScope] }, { headers })).status, 400)
  }
  await ask(hub, 'DELETE', '/devices/edge')
  const back = await ask(hub, 'PUT', '/devices/leaf', object(leaf), { headers: { 'if-match': '*' } })
  assert.equal(object(back)['deviceScope'], scope)
  const none = await ask(hub, 'PUT', '/devices/leaf', { deviceScope: '' }, { headers: { 'if-match': '*' } })
  assert.equal(object(none)['deviceScope'], undefined)
})

test('a device of a certificate authority is registered and read back, without keys', async () => {
  await using hub = await open()
  const authentication = { type: 'certificateAuthority' }
  const created = object(await ask(hub, 'PUT', '/devices/d', { authentication }))
  assert.equal(member(created, 'authentication', 'type'), 'certificateAuthority')
  assert.equal(member(created, 'authentication', 'symmetricKey', 'primaryKey'), null)
  assert.deepEqual(object(await ask(hub, 'GET', '/devices/d')), created)
})

test('thumbprints are kept in upper case without separators, and other text is refused', async () => {
  await using hub = await open()
  const put = (id: string, primaryThumbprint: string) =>
    ask(hub, 'PUT', `/devices/${id}`, { authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint } } })
  const sha1 = 'ab:'.repeat(19) + 'cd'
  assert.equal(
    member(object(await put('a', sha1)), 'authentication', 'x509Thumbprint', 'primaryThumbprint'),
    'AB'.repeat(19) + 'CD',
  )
  assert.equal((await put('b', 'not a thumbprint')).status, 400)
})

test('deleting honours If-Match and leaves nothing behind', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/d', { capabilities: { iotEdge: true } })
  assert.equal((await ask(hub, 'DELETE', '/devices/d', undefined, { headers: { 'if-match': '"eA=="' } })).status, 412)
  assert.equal((await ask(hub, 'DELETE', '/devices/d', undefined, { headers: { 'if-match': '*' } })).status, 204)
  assert.equal((await ask(hub, 'GET', '/devices/d')).status, 404)
  assert.equal((await ask(hub, 'GET', '/twins/d/modules/$edgeHub')).status, 404)
})

test('an edge device has $edgeAgent and $edgeHub, also when it becomes one later, and loses them with the capability', async () => {
  await using hub = await open()
  const modules = async () => list(await ask(hub, 'GET', '/devices/d/modules')).map(({ moduleId }) => moduleId)
  await ask(hub, 'PUT', '/devices/d', {})
  assert.deepEqual(await modules(), [])
  const update = { headers: { 'if-match': '*' } }
  const edge = await ask(hub, 'PUT', '/devices/d', { capabilities: { iotEdge: true } }, update)
  assert.match(String(object(edge)['deviceScope']), /^ms-azure-iot-edge:\/\/d-\d+$/)
  assert.deepEqual(await modules(), ['$edgeAgent', '$edgeHub'])
  await ask(hub, 'PUT', '/devices/d', { capabilities: { iotEdge: false } }, update)
  assert.deepEqual(await modules(), [])
})

test('a token is accepted by policy, right, host and scope, and refused otherwise', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/d', {})
  const get = async (asked: Asked) => (await ask(hub, 'GET', '/devices/d', undefined, asked)).status
  assert.equal(await get({ policy: 'registryRead' }), 200)
  assert.equal(await get({ policy: 'registryReadWrite' }), 200)
  assert.equal(await get({ policy: 'service' }), 401)
  assert.equal(await get({ policy: 'device' }), 401)
  assert.equal(await get({ resource: `${hostName}/devices` }), 200)
  assert.equal(await get({ resource: `${hostName}/twins` }), 401)
  assert.equal(await get({ resource: `https://${hostName.toUpperCase()}:443/` }), 200)
  assert.equal(await get({ resource: 'other.example.test' }), 401)
  assert.equal(await get({ headers: { authorization: '' } }), 401)
  const expired = signSasToken(hostName, keyOf(hub, 'iothubowner'), 1, 'iothubowner')
  assert.equal(await get({ headers: { authorization: expired } }), 401)
  const forged = signSasToken(hostName, Key.generate(), 4_000_000_000, 'iothubowner')
  assert.equal(await get({ headers: { authorization: forged } }), 401)
})

test('a token that was accepted once is refused when it has expired', async () => {
  let now = Date.now()
  await using hub = await open({ clock: () => now })
  const authorization = signSasToken(hostName, keyOf(hub, 'service'), Math.floor(now / 1000) + 60, 'service')
  const asked = { headers: { authorization } }
  assert.equal((await ask(hub, 'GET', '/statistics/service', undefined, asked)).status, 200)
  now += 61_000
  assert.equal((await ask(hub, 'GET', '/statistics/service', undefined, asked)).status, 401)
})

test('any api-version of the published form is accepted, and none is refused', async () => {
  await using hub = await open()
  const get = async (version: string) => (await ask(hub, 'GET', '/statistics/devices', undefined, { version })).status
  assert.equal(await get('2016-11-14'), 200)
  assert.equal(await get('2031-01-01-preview'), 200)
  assert.equal(await get(''), 400)
  assert.equal(await get('latest'), 400)
})

test('a hub answers for its own name only, and the hubs of one file share nothing', async () => {
  await using hub = await open({ hostNames: [hostName, '127.20.0.9'] })
  await ask(hub, 'PUT', '/devices/d', {})
  assert.equal((await ask(hub, 'GET', '/devices/d', undefined, { host: '127.20.0.9:443' })).status, 404)
  assert.equal((await ask(hub, 'GET', '/devices/d', undefined, { host: 'elsewhere.test' })).status, 401)
  assert.notEqual(hub.connectionString(hostName), hub.connectionString('127.20.0.9'))
})

test('paths of the hub are told from others by their first segment', async () => {
  await using hub = await open()
  for (const path of ['/devices', '/devices/x', '/Twins/x', '/statistics/devices', '/jobs/create'])
    assert.ok(hub.owns(path), path)
  for (const path of ['/', '/enrollments/x', '/0ne00000000/registrations/devices', '/devicesX'])
    assert.ok(!hub.owns(path), path)
})

test('paths that lead nowhere, methods that are not offered and broken bodies are refused in the same form', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/d', {})
  const status = async (method: string, path: string, body?: Json) => (await ask(hub, method, path, body)).status
  assert.equal(await status('GET', '/devices/d/nothing'), 404)
  assert.equal(await status('PATCH', '/devices/d'), 405)
  assert.equal(await status('POST', '/devices/d/files'), 501)
  assert.equal(await status('POST', '/jobs/create'), 501)
  assert.equal(await status('PUT', '/devices/e', 'text'), 400)
  assert.equal(await status('PUT', '/devices/%E0%A4%A'), 400)
  assert.equal(await status('PUT', '/devices/a%20b', {}), 400)
  assert.equal(await status('PUT', '/devices/a', { deviceId: 'b' }), 400)
  assert.equal(await status('PUT', '/devices/a', { authentication: { type: 'password' } }), 400)
  assert.equal(await status('PUT', '/devices/a', { authentication: { symmetricKey: { primaryKey: 'short' } } }), 400)
})

test('sixty writers of one twin all get their say, one version each', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/d', {})
  const writers = Array.from({ length: 60 }, (_, index) =>
    ask(hub, 'PATCH', '/twins/d', { tags: { [`t${index}`]: index } }),
  )
  for (const answer of await Promise.all(writers)) assert.equal(answer.status, 200)
  const twin = object(await ask(hub, 'GET', '/twins/d'))
  assert.equal(twin['version'], 61)
  assert.equal(Object.keys(twin['tags'] as JsonObject).length, 60)
})

test('whatever was acknowledged is there after the hub is opened again, keys included', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bundled-hub-'))
  try {
    let kept: string
    {
      await using hub = await open({ directory })
      kept = hub.connectionString(hostName, 'service')
      await ask(hub, 'PUT', '/devices/d', { capabilities: { iotEdge: true } })
      await ask(hub, 'PATCH', '/twins/d', { tags: { line: 4 }, properties: { desired: { mode: 'eco' } } })
    }
    await using hub = await open({ directory })
    assert.equal(hub.connectionString(hostName, 'service'), kept)
    const twin = object(await ask(hub, 'GET', '/twins/d'))
    assert.deepEqual(twin['tags'], { line: 4 })
    assert.equal(member(twin, 'properties', 'desired', 'mode'), 'eco')
    assert.equal(list(await ask(hub, 'GET', '/devices/d/modules')).length, 2)
  } finally {
    await rm(directory, { recursive: true })
  }
})
