import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, hostName, member, object, open } from '../../test/fixtures/bundled-hub.ts'
import { signSasToken } from '../wire/sas-token.ts'
import type { BundledHub } from './bundled-hub.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { Key } from './key.ts'

test('a device sends over HTTPS with its own token, and what it sent is read out with its properties', async () => {
  await using hub = await open({ clock: () => Date.parse('2031-03-02T10:00:01Z') })
  const headers = {
    authorization: await deviceToken(hub, 'd'),
    'iothub-messageid': 'm-1',
    'iothub-app-colour': 'dark red',
  }
  assert.equal((await ask(hub, 'POST', '/devices/d/messages/events', { t: 21 }, { headers })).status, 204)
  const [message] = await sent(hub, 'd')
  assert.deepEqual(message, {
    position: message?.['position'],
    enqueuedTime: '2031-03-02T10:00:01.000Z',
    systemProperties: { '$.mid': 'm-1' },
    properties: { colour: 'dark red' },
    body: { t: 21 },
  })
})

test('a batch is kept as many messages, each with its body and properties, or not at all', async () => {
  await using hub = await open()
  const headers = {
    authorization: await deviceToken(hub, 'd'),
    'content-type': 'application/vnd.microsoft.iothub.json',
  }
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const post = (body: Json) => ask(hub, 'POST', '/devices/d/messages/events', body, { headers })
  const batch = [
    { body: base64('{"n":1}'), properties: { 'iothub-app-Colour': 'dark red', 'iothub-messageid': 'm-1' } },
    { body: 'plain', base64Encoded: false },
  ]
  assert.equal((await post(batch)).status, 204)
  assert.equal((await post([{ body: base64('x') }, { properties: {} }])).status, 400)
  assert.equal((await post({})).status, 400)
  assert.equal((await post([{ body: base64('y'.repeat(262_145)) }])).status, 413)
  const kept = await sent(hub, 'd')
  assert.deepEqual(
    kept.map(({ body, properties, systemProperties }) => ({ body, properties, systemProperties })),
    [
      { body: { n: 1 }, properties: { Colour: 'dark red' }, systemProperties: { '$.mid': 'm-1' } },
      { body: 'plain', properties: {}, systemProperties: {} },
    ],
  )
})

test("a message that a device has taken over HTTPS is nobody else's, and is settled by its own lock token only", async () => {
  await using hub = await open()
  const headers = { authorization: await deviceToken(hub, 'd') }
  const path = '/devices/d/messages/devicebound'
  const get = () => ask(hub, 'GET', path, undefined, { headers })
  assert.equal((await get()).status, 204)
  await ask(hub, 'POST', path, 'hello', { headers: { 'iothub-app-wort': 'Grün' } })
  const taken = await get()
  assert.equal(String(taken.body), 'hello')
  assert.equal(taken.headers?.['iothub-app-wort'], '=?utf-8?B?R3LDvG4=?=')
  assert.equal((await get()).status, 204)
  const lock = String(taken.headers?.['ETag']).replaceAll('"', '')
  await ask(hub, 'PUT', '/devices/e', {})
  assert.equal((await ask(hub, 'DELETE', `${path}/other`, undefined, { headers })).status, 412)
  assert.equal(
    (await ask(hub, 'DELETE', `/devices/e/messages/devicebound/${lock}`, undefined, { headers })).status,
    401,
  )
  assert.equal((await ask(hub, 'POST', `${path}/${lock}/abandon`, undefined, { headers })).status, 204)
  assert.equal((await ask(hub, 'DELETE', `${path}/${lock}`, undefined, { headers })).status, 412)
  const again = await get()
  assert.equal(again.headers?.['iothub-deliverycount'], '1')
  const second = String(again.headers?.['ETag']).replaceAll('"', '')
  assert.equal((await ask(hub, 'DELETE', `${path}/${second}`, undefined, { headers })).status, 204)
  assert.equal((await get()).status, 204)
})

test('a device may not send as another, nor read what it sent', async () => {
  await using hub = await open()
  const headers = { authorization: await deviceToken(hub, 'd') }
  await ask(hub, 'PUT', '/devices/e', {})
  assert.equal((await ask(hub, 'POST', '/devices/e/messages/events', 'x', { headers })).status, 401)
  assert.equal((await ask(hub, 'GET', '/devices/d/messages/events', undefined, { headers })).status, 401)
})

test('a device registers modules of its own with its own token, as IoT Edge does, and no others', async () => {
  await using hub = await open()
  const headers = { authorization: await deviceToken(hub, 'd') }
  await ask(hub, 'PUT', '/devices/e', {})
  const asked = { headers, version: '2017-11-08-preview' }
  assert.equal((await ask(hub, 'PUT', '/devices/d/modules/m', { managedBy: 'IotEdge' }, asked)).status, 200)
  assert.equal((await ask(hub, 'GET', '/devices/d/modules', undefined, asked)).status, 200)
  assert.equal((await ask(hub, 'DELETE', '/devices/d/modules/m', undefined, asked)).status, 204)
  assert.equal((await ask(hub, 'PUT', '/devices/e/modules/m', {}, asked)).status, 401)
  assert.equal((await ask(hub, 'GET', '/devices/d', undefined, asked)).status, 401)
})

test('telemetry is read on from a position, and the oldest is forgotten when the room is full', async () => {
  await using hub = await open({ telemetryBytes: 3000 })
  const headers = { authorization: await deviceToken(hub, 'd') }
  for (let n = 0; n < 10; n++) await ask(hub, 'POST', '/devices/d/messages/events', 'x'.repeat(700) + n, { headers })
  const kept = await sent(hub, 'd')
  assert.deepEqual(
    kept.map(({ body }) => String(body).at(-1)),
    ['6', '7', '8', '9'],
  )
  const after = String(kept[1]?.['position'])
  assert.deepEqual(await sent(hub, 'd', { after }), kept.slice(2))
  assert.deepEqual(await sent(hub, 'd', { after, top: '1' }), kept.slice(2, 3))
  const nonsense = await ask(hub, 'GET', '/devices/d/messages/events', undefined, { query: { after: 'x' } })
  assert.equal(nonsense.status, 400)
})

test('a message to a device that is not there, or with a broken expiry, is refused', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/d', {})
  const send = async (deviceId: string, headers = {}) =>
    (await ask(hub, 'POST', `/devices/${deviceId}/messages/devicebound`, 'x', { headers })).status
  assert.equal(await send('nobody'), 404)
  assert.equal(await send('d', { 'iothub-expiry': 'soon' }), 400)
  assert.equal(await send('d'), 204)
  assert.equal(object(await ask(hub, 'GET', '/devices/d'))['cloudToDeviceMessageCount'], 1)
})

test('a method that makes no sense is refused, and one for a device that is away is 404103 at once', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/d', {})
  const invoke = (call: JsonObject, deviceId = 'd') => ask(hub, 'POST', `/twins/${deviceId}/methods`, call)
  assert.equal((await invoke({})).status, 400)
  assert.equal((await invoke({ methodName: 'a/b' })).status, 400)
  assert.equal((await invoke({ methodName: 'a', responseTimeoutInSeconds: 4 })).status, 400)
  assert.equal((await invoke({ methodName: 'a', connectTimeoutInSeconds: 301 })).status, 400)
  assert.equal((await invoke({ methodName: 'a', payload: 'x'.repeat(200_000) })).status, 413)
  assert.equal((await invoke({ methodName: 'a' }, 'nobody')).headers?.['iothub-errorcode'], 'DeviceNotFound')
  const away = await invoke({ methodName: 'a' })
  assert.equal(away.status, 404)
  assert.match(String(object(away)['Message']), /"errorCode":404103/)
})

test('a key is not shown by printing, JSON or a message', () => {
  const key = Key.generate()
  assert.equal(String(key) + JSON.stringify({ key }), '[key]{"key":"[key]"}')
})

async function deviceToken(hub: BundledHub, deviceId: string): Promise<string> {
  const device = object(await ask(hub, 'PUT', `/devices/${deviceId}`, {}))
  const key = Key.stored(String(member(device, 'authentication', 'symmetricKey', 'primaryKey')))
  return signSasToken(`${hostName}/devices/${deviceId}`, key, 4_000_000_000)
}

async function sent(hub: BundledHub, deviceId: string, query = {}): Promise<JsonObject[]> {
  const answer = await ask(hub, 'GET', `/devices/${deviceId}/messages/events`, undefined, { query })
  assert.equal(answer.status, 200)
  return object(answer)['messages'] as JsonObject[]
}
