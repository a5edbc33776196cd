import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { member } from './member.ts'
import { startSdk, type SdkProcess } from './sdk-process.ts'
import { type HubServer, serveHub } from './server.ts'
import { askHub, createDevice } from './service-api.ts'

let server: HubServer
let service: SdkProcess

before(async () => {
  server = await serveHub('127.20.1.3')
  service = await startSdk('node-service.mjs', server.caFile)
  await service.ask('open', server.hub.connectionString(server.address))
})

after(async () => {
  await service[Symbol.asyncDispose]()
  assert.deepEqual(server.faults, [])
  await server[Symbol.asyncDispose]()
})

const call = (object: 'registry' | 'client' | 'jobs', method: string, ...given: unknown[]): Promise<unknown> =>
  service.ask('call', { object, method, arguments: given })

test('the Node registry creates, reads, updates and deletes a device, and knows the errors', async () => {
  const created = await call('registry', 'create', { deviceId: 'unit-1' })
  assert.equal(member(created, 'authentication', 'type'), 'sas')
  assert.deepEqual(await call('registry', 'get', 'unit-1'), created)
  const updated = await call('registry', 'update', { deviceId: 'unit-1', status: 'disabled', statusReason: 'rest' })
  assert.equal(member(updated, 'status'), 'disabled')
  assert.equal(member(updated, 'statusReason'), 'rest')
  await assert.rejects(call('registry', 'create', { deviceId: 'unit-1' }), /DeviceAlreadyExists/)
  await call('registry', 'delete', 'unit-1')
  await assert.rejects(call('registry', 'get', 'unit-1'), /DeviceNotFound/)
})

test('the Node registry adds, updates and removes devices in bulk', async () => {
  const devices = ['bulk-1', 'bulk-2'].map((deviceId) => ({ deviceId }))
  assert.equal(member(await call('registry', 'addDevices', devices), 'isSuccessful'), true)
  const disabled = devices.map((device) => ({ ...device, status: 'disabled' }))
  assert.equal(member(await call('registry', 'updateDevices', disabled, true), 'isSuccessful'), true)
  assert.equal(member(await call('registry', 'get', 'bulk-2'), 'status'), 'disabled')
  assert.equal(member(await call('registry', 'removeDevices', devices, true), 'isSuccessful'), true)
  await assert.rejects(call('registry', 'get', 'bulk-1'), /DeviceNotFound/)
})

test('the Node registry adds, reads, updates and removes modules', async () => {
  await call('registry', 'create', { deviceId: 'edge-1', capabilities: { iotEdge: true } })
  await call('registry', 'addModule', { deviceId: 'edge-1', moduleId: 'camera' })
  const modules = await call('registry', 'getModulesOnDevice', 'edge-1')
  assert.deepEqual(Array.isArray(modules) && modules.map((module) => member(module, 'moduleId')), [
    '$edgeAgent',
    '$edgeHub',
    'camera',
  ])
  const camera = await call('registry', 'getModule', 'edge-1', 'camera')
  await call('registry', 'updateModule', {
    deviceId: 'edge-1',
    moduleId: 'camera',
    managedBy: 'me',
    etag: member(camera, 'etag'),
  })
  assert.equal(member(await call('registry', 'getModule', 'edge-1', 'camera'), 'managedBy'), 'me')
  const twin = await call(
    'registry',
    'updateModuleTwin',
    'edge-1',
    'camera',
    { properties: { desired: { zoom: 2 } } },
    '*',
  )
  assert.equal(member(twin, 'properties', 'desired', 'zoom'), 2)
  await call('registry', 'removeModule', 'edge-1', 'camera')
  await assert.rejects(call('registry', 'getModule', 'edge-1', 'camera'), /ModuleNotFound/)
})

test('the Node twin updates itself under its entity tag, and a query pages to its end', async () => {
  await createDevice(server, 'twin-1')
  const twin = await service.ask('updateTwin', { deviceId: 'twin-1', patch: { tags: { site: 'north' } } })
  assert.equal(member(twin, 'tags', 'site'), 'north')
  await createDevice(server, 'twin-2')
  await service.ask('updateTwin', { deviceId: 'twin-2', patch: { tags: { site: 'north' } } })
  await createDevice(server, 'twin-3')
  const text = "SELECT * FROM devices WHERE tags.site = 'north'"
  assert.deepEqual(await service.ask('query', { text, pageSize: 1 }), [['twin-1'], ['twin-2']])
})

test('the Node client invokes a method on a Node device, and hears that another is not online', async () => {
  const connectionString = await createDevice(server, 'method-1')
  const params = { methodName: 'reboot', payload: { delay: 3 }, responseTimeoutInSeconds: 10 }
  await assert.rejects(call('client', 'invokeDeviceMethod', 'method-1', params), /404103/)
  await using device = await startSdk('node-device.mjs', server.caFile)
  await device.ask('connect', { connectionString })
  await device.ask('method', { name: 'reboot', status: 200, payload: 'done' })
  const answer = await call('client', 'invokeDeviceMethod', 'method-1', { ...params, connectTimeoutInSeconds: 10 })
  assert.deepEqual(answer, { status: 200, payload: 'done' })
})

test('the Node job client schedules a method on a Node device, and a twin update that it cancels', async () => {
  const connectionString = await createDevice(server, 'job-1')
  await using device = await startSdk('node-device.mjs', server.caFile)
  await device.ask('connect', { connectionString })
  await device.ask('method', { name: 'testMethod', status: 200, payload: null })
  const params = { methodName: 'testMethod', payload: null, responseTimeoutInSeconds: 30 }
  await call('jobs', 'scheduleDeviceMethod', 'method-job', "deviceId = 'job-1'", params)
  await device.event('method')
  let job: unknown
  do job = await call('jobs', 'getJob', 'method-job')
  while (member(job, 'status') === 'queued' || member(job, 'status') === 'running')
  assert.equal(member(job, 'status'), 'completed')
  assert.equal(member(job, 'deviceJobStatistics', 'succeededCount'), 1)
  const startTime = new Date(Date.now() + 3_600_000).toISOString()
  const updateTwin = { etag: '*', tags: { line: 4 } }
  const body = { type: 'scheduleUpdateTwin', updateTwin, startTime, queryCondition: "deviceId = 'job-1'" }
  assert.equal((await askHub(server, 'PUT', '/jobs/v2/twin-job', body)).status, 200)
  assert.equal(member(await call('jobs', 'cancelJob', 'twin-job'), 'status'), 'cancelled')
})

test('the Node registry counts devices', async () => {
  assert.equal(typeof member(await call('registry', 'getRegistryStatistics'), 'totalDeviceCount'), 'number')
})
