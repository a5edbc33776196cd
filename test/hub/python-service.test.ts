import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { member } from './member.ts'
import { startSdk, type SdkProcess } from './sdk-process.ts'
import { type HubServer, serveHub } from './server.ts'
import { createDevice } from './service-api.ts'

let server: HubServer
let service: SdkProcess

before(async () => {
  server = await serveHub('127.20.1.5')
  service = await startSdk('python-service.py', server.caFile)
  await service.ask('open', server.hub.connectionString(server.address))
})

after(async () => {
  await service[Symbol.asyncDispose]()
  assert.deepEqual(server.faults, [])
  await server[Symbol.asyncDispose]()
})

const call = (method: string, ...given: unknown[]): Promise<unknown> =>
  service.ask('call', { method, arguments: given })

test('the Python registry creates, reads, updates and deletes devices with keys and with certificates', async () => {
  const [primary, secondary] = ['A'.repeat(43) + '=', 'B'.repeat(42) + 'A=']
  const created = await call('create_device_with_sas', 'sas-1', primary, secondary, 'enabled')
  assert.equal(member(created, 'authentication', 'symmetric_key', 'primary_key'), primary)
  const prints = ['AB'.repeat(20), 'CD'.repeat(20)]
  const printed = await call('create_device_with_x509', 'x509-1', ...prints, 'disabled', true)
  assert.equal(member(printed, 'authentication', 'x509_thumbprint', 'secondary_thumbprint'), prints[1])
  assert.equal(member(printed, 'capabilities', 'iot_edge'), true)
  const etag = member(await call('get_device', 'sas-1'), 'etag')
  const updated = await call('update_device_with_sas', 'sas-1', etag, secondary, primary, 'disabled')
  assert.equal(member(updated, 'status'), 'disabled')
  assert.equal(member(updated, 'authentication', 'symmetric_key', 'primary_key'), secondary)
  await assert.rejects(call('update_device_with_sas', 'sas-1', etag, secondary, primary, 'enabled'), /Precondition/)
  await call('delete_device', 'sas-1')
  await assert.rejects(call('get_device', 'sas-1'), /Not Found/)
  const modules = await call('get_modules', 'x509-1')
  assert.deepEqual(Array.isArray(modules) && modules.map((module) => member(module, 'module_id')), [
    '$edgeAgent',
    '$edgeHub',
  ])
})

test('the Python registry reads and updates twins, and a query pages to its end', async () => {
  await createDevice(server, 'twin-1')
  await createDevice(server, 'twin-2')
  const change = { tags: { site: 'north' }, desired: { mode: 'eco' } }
  const etag = member(await call('get_twin', 'twin-1'), 'etag')
  const twin = await service.ask('updateTwin', { deviceId: 'twin-1', etag, ...change })
  assert.equal(member(twin, 'properties', 'desired', 'mode'), 'eco')
  await assert.rejects(service.ask('updateTwin', { deviceId: 'twin-1', etag, ...change }), /Precondition/)
  await service.ask('updateTwin', { deviceId: 'twin-2', etag: '*', ...change })
  const text = "SELECT * FROM devices WHERE tags.site = 'north'"
  assert.deepEqual(await service.ask('query', text), [['twin-1'], ['twin-2']])
})

test('the Python registry invokes a method on a Python device', async () => {
  const connectionString = await createDevice(server, 'method-1')
  await using device = await startSdk('python-device.py', server.caFile)
  await device.ask('connect', { connectionString })
  await device.ask('method', { status: 200, payload: { done: true } })
  const answer = await service.ask('invoke', { deviceId: 'method-1', name: 'reboot', payload: { delay: 3 } })
  assert.deepEqual(answer, { status: 200, payload: { done: true } })
})
