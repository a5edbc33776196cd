import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createSelfSigned, sha256Thumbprint } from '../fixtures/certificates.ts'
import { member } from './member.ts'
import { startSdk, type SdkProcess } from './sdk-process.ts'
import { type HubServer, serveHub } from './server.ts'
import { askHub, createDevice, telemetryOf } from './service-api.ts'

let server: HubServer

before(async () => {
  server = await serveHub('127.20.1.1')
})

after(async () => {
  assert.deepEqual(server.faults, [])
  await server[Symbol.asyncDispose]()
})

for (const [name, transport] of [
  ['MQTT', 'mqtt'],
  ['MQTT over WebSocket', 'mqtt-ws'],
  ['AMQP', 'amqp'],
  ['AMQP over WebSocket', 'amqp-ws'],
] as const) {
  test(`over ${name} a Node device reads its twin, reports, hears of changes, and takes messages and methods`, async () => {
    const deviceId = `node-${transport}:1`
    const path = encodeURIComponent(deviceId)
    const connectionString = await createDevice(server, deviceId)
    await askHub(server, 'PATCH', `/twins/${path}`, { tags: { line: 4 }, properties: { desired: { mode: 'eco' } } })
    await using device = await startSdk('node-device.mjs', server.caFile)
    await device.ask('connect', { connectionString, transport })
    assert.deepEqual(await device.ask('twin'), { desired: { mode: 'eco', $version: 2 }, reported: { $version: 1 } })
    // The SDK gives what it has at first, then each change.
    assert.equal(member(await device.event('desired'), 'mode'), 'eco')

    await device.ask('report', { firmware: { version: '1.2' }, temperature: 21.5 })
    const twin = await askHub(server, 'GET', `/twins/${path}`)
    assert.equal(member(twin.json(), 'properties', 'reported', 'firmware', 'version'), '1.2')
    assert.equal(member(twin.json(), 'properties', 'reported', '$version'), 2)
    assert.equal(member(twin.json(), 'connectionState'), 'Connected')
    await assert.rejects(device.ask('report', { 'a.b': 1 }))

    await askHub(server, 'PATCH', `/twins/${path}`, { properties: { desired: { mode: null, rate: 5 } } })
    assert.deepEqual(await device.event('desired'), { mode: null, rate: 5, $version: 3 })

    await device.ask('send', { body: '{"t":21}', properties: { 'hot & wet': 'a=b' }, messageId: 'm-1' })
    const [message] = await telemetryOf(server, deviceId)
    assert.deepEqual(message?.['body'], { t: 21 })
    assert.deepEqual(message?.['properties'], { 'hot & wet': 'a=b' })
    assert.equal(member(message, 'systemProperties', '$.mid'), 'm-1')

    await assertMessage(device, deviceId, path)
    await assertMethod(device, path)
    await device.ask('disconnect')
  })
}

test('a Node device proves itself by a certificate whose thumbprint is registered, and by no other', async () => {
  const leaf = await createSelfSigned('node-x509')
  const x509Thumbprint = { primaryThumbprint: sha256Thumbprint(leaf.certificate) }
  const authentication = { type: 'selfSigned', x509Thumbprint }
  assert.equal((await askHub(server, 'PUT', '/devices/node-x509', { authentication })).status, 200)
  const connectionString = `HostName=${server.address};DeviceId=node-x509;x509=true`
  for (const transport of ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws']) {
    await using device = await startSdk('node-device.mjs', server.caFile)
    await device.ask('connect', { connectionString, transport, certificate: { cert: leaf.certificate, key: leaf.key } })
    assert.deepEqual(await device.ask('twin'), { desired: { $version: 1 }, reported: { $version: 1 } })
  }
  const other = await createSelfSigned('node-x509')
  await using device = await startSdk('node-device.mjs', server.caFile)
  await assert.rejects(
    device.ask('connect', { connectionString, certificate: { cert: other.certificate, key: other.key } }),
    /Unauthorized/,
  )
})

test('a Node device with a wrong key, or one that is disabled, is not authorized', async () => {
  const connectionString = await createDevice(server, 'node-refused')
  await using device = await startSdk('node-device.mjs', server.caFile)
  const wrong = connectionString.replace(/SharedAccessKey=.*/, `SharedAccessKey=${'A'.repeat(43)}=`)
  await assert.rejects(device.ask('connect', { connectionString: wrong }), /Unauthorized/)
  await askHub(server, 'PUT', '/devices/node-refused', { status: 'disabled' }, { 'if-match': '*' })
  await assert.rejects(device.ask('connect', { connectionString }), /Unauthorized/)
})

test('a Node device comes back by itself after the hub was restarted, and its messages waited for it', async () => {
  const connectionString = await createDevice(server, 'node-restart')
  await using device = await startSdk('node-device.mjs', server.caFile)
  await device.ask('connect', { connectionString })
  await device.ask('listen')
  await device.ask('twin')
  await server.restart()
  await askHub(server, 'POST', '/devices/node-restart/messages/devicebound', 'kept')
  assert.equal(member(await device.event('message'), 'body'), 'kept')
  await device.event('completed')
})

async function assertMessage(device: SdkProcess, deviceId: string, path: string): Promise<void> {
  await device.ask('listen')
  const headers = { 'iothub-messageid': 'c-1', 'iothub-app-colour': 'dark red' }
  assert.equal((await askHub(server, 'POST', `/devices/${path}/messages/devicebound`, 'hello', headers)).status, 204)
  const message = await device.event('message')
  assert.equal(member(message, 'body'), 'hello')
  assert.equal(member(message, 'messageId'), 'c-1')
  const properties = member(message, 'properties')
  assert.ok(Array.isArray(properties) && JSON.stringify(properties).includes('["colour","dark red"]'), deviceId)
  await device.event('completed')
}

async function assertMethod(device: SdkProcess, path: string): Promise<void> {
  await device.ask('method', { name: 'reboot', status: 207, payload: { done: true } })
  const call = {
    methodName: 'reboot',
    payload: { delay: 3 },
    connectTimeoutInSeconds: 10,
    responseTimeoutInSeconds: 10,
  }
  const answer = await askHub(server, 'POST', `/twins/${path}/methods`, call)
  assert.deepEqual(answer.json(), { status: 207, payload: { done: true } })
  assert.deepEqual(await device.event('method'), { name: 'reboot', payload: { delay: 3 } })
  await device.ask('method', { name: 'nothing', status: 204, payload: null })
  const nothing = await askHub(server, 'POST', `/twins/${path}/methods`, { ...call, methodName: 'nothing' })
  assert.deepEqual(nothing.json(), { status: 204, payload: null })
}
