import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createSelfSigned, sha256Thumbprint } from '../fixtures/certificates.ts'
import { member } from './member.ts'
import { startSdk } from './sdk-process.ts'
import { type HubServer, serveHub } from './server.ts'
import { askHub, createDevice, telemetryOf } from './service-api.ts'

let server: HubServer

before(async () => {
  server = await serveHub('127.20.1.2')
})

after(async () => {
  assert.deepEqual(server.faults, [])
  await server[Symbol.asyncDispose]()
})

for (const [name, webSocket] of [
  ['MQTT', false],
  ['MQTT over WebSocket', true],
] as const) {
  test(`over ${name} a Python device reads its twin, reports, hears of changes, and takes messages and methods`, async () => {
    const deviceId = `python-${webSocket ? 'ws' : 'mqtt'}`
    const connectionString = await createDevice(server, deviceId)
    await askHub(server, 'PATCH', `/twins/${deviceId}`, { properties: { desired: { mode: 'eco' } } })
    await using device = await startSdk('python-device.py', server.caFile)
    await device.ask('connect', { connectionString, webSocket })
    assert.deepEqual(await device.ask('twin'), { desired: { mode: 'eco', $version: 2 }, reported: { $version: 1 } })

    await device.ask('report', { firmware: '1.2', old: null })
    const twin = await askHub(server, 'GET', `/twins/${deviceId}`)
    assert.equal(member(twin.json(), 'properties', 'reported', 'firmware'), '1.2')

    await device.ask('desired')
    await askHub(server, 'PATCH', `/twins/${deviceId}`, { properties: { desired: { mode: null, rate: 5 } } })
    assert.deepEqual(await device.event('desired'), { mode: null, rate: 5, $version: 3 })

    await device.ask('send', { body: '{"t":21}', properties: { colour: 'dark red' }, messageId: 'm-1' })
    const [message] = await telemetryOf(server, deviceId)
    assert.deepEqual(message?.['body'], { t: 21 })
    assert.deepEqual(message?.['properties'], { colour: 'dark red' })
    assert.deepEqual(message?.['systemProperties'], { '$.mid': 'm-1', '$.ct': 'application/json', '$.ce': 'utf-8' })

    await device.ask('listen')
    const headers = { 'iothub-messageid': 'c-1', 'iothub-app-colour': 'dark red' }
    await askHub(server, 'POST', `/devices/${deviceId}/messages/devicebound`, 'hello', headers)
    const received = await device.event('message')
    assert.deepEqual(received, { body: 'hello', messageId: 'c-1', properties: { colour: 'dark red' } })

    await device.ask('method', { status: 207, payload: { done: true } })
    const call = { methodName: 'reboot', payload: { delay: 3 }, connectTimeoutInSeconds: 10 }
    const answer = await askHub(server, 'POST', `/twins/${deviceId}/methods`, call)
    assert.deepEqual(answer.json(), { status: 207, payload: { done: true } })
    assert.deepEqual(await device.event('method'), { name: 'reboot', payload: { delay: 3 } })
    await device.ask('disconnect')
  })
}

test('a Python device proves itself by a certificate whose thumbprint is registered', async () => {
  const leaf = await createSelfSigned('python-x509')
  const directory = await mkdtemp(join(tmpdir(), 'python-x509-'))
  try {
    const [certificateFile, keyFile] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')]
    await Promise.all([writeFile(certificateFile, leaf.certificate), writeFile(keyFile, leaf.key)])
    const x509Thumbprint = { primaryThumbprint: sha256Thumbprint(leaf.certificate) }
    await askHub(server, 'PUT', '/devices/python-x509', { authentication: { type: 'selfSigned', x509Thumbprint } })
    await using device = await startSdk('python-device.py', server.caFile)
    await device.ask('connect', { hostName: server.address, deviceId: 'python-x509', certificateFile, keyFile })
    assert.deepEqual(await device.ask('twin'), { desired: { $version: 1 }, reported: { $version: 1 } })
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('a Python device with a wrong key gets the error that tells of credentials', async () => {
  const connectionString = await createDevice(server, 'python-refused')
  await using device = await startSdk('python-device.py', server.caFile)
  const wrong = connectionString.replace(/SharedAccessKey=.*/, `SharedAccessKey=${'A'.repeat(43)}=`)
  await assert.rejects(device.ask('connect', { connectionString: wrong }), /CredentialError/)
})

test('a Python device, which does not subscribe again, still hears of changes after the hub was restarted', async () => {
  const connectionString = await createDevice(server, 'python-restart')
  await using device = await startSdk('python-device.py', server.caFile)
  await device.ask('connect', { connectionString })
  await device.ask('listen')
  await device.ask('desired')
  await device.event('connected')
  await server.restart()
  await device.event('disconnected')
  await askHub(server, 'POST', '/devices/python-restart/messages/devicebound', 'kept')
  assert.equal(member(await device.event('message'), 'body'), 'kept')
  await askHub(server, 'PATCH', '/twins/python-restart', { properties: { desired: { rate: 6 } } })
  assert.deepEqual(await device.event('desired'), { rate: 6, $version: 2 })
})
