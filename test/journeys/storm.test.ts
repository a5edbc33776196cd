import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { enrollDevice, type Device } from '../wire/device.ts'
import { deviceApi } from '../wire/https-client.ts'
import { eventually } from './hub-devices.ts'
import { openWithThirdHub } from './third-hub.ts'

const network = '127.70.11'
// Two identities a second, and ten seconds' worth at once.
const three = await openWithThirdHub(network, ['--hub-writes', '120', '--short-wait', '50', '--hub-probe', '600'])
const { fake } = three
const { service } = three.plane
await three.link()
const api = deviceApi(service)
after(() => three[Symbol.asyncDispose]())

test('a storm drains as fast as its hub takes it, and devices are told how long they will wait', async () => {
  const storm = 30
  const devices = await Promise.all(
    Array.from({ length: storm }, (_, number) =>
      enrollDevice(service, `storm-${number}`, { allocationPolicy: 'static', iotHubs: [fake.hostName] }),
    ),
  )
  const startedAt = Date.now()
  const accepted = await Promise.all(devices.map((device) => api.register(device)))
  const last = accepted.findLast((answer) => answer.json()['status'] === 'assigning')
  const told = Number(last?.headers['retry-after'])
  assert.ok(told >= 4 && told <= 6, `a device was told to come back after ${told} s`)
  for (let done = 0; done < storm; await wait(100)) {
    done = devices.filter(({ registrationId }) => fake.devices.has(registrationId)).length
    assert.ok(Date.now() - startedAt < 9000, `${done} of ${storm} after 9 s`)
  }
  const took = Date.now() - startedAt
  assert.ok(took > 4200, `the hub was written faster than it may be: ${took} ms`)
  const writes = fake.calls.filter(({ call }) => call.startsWith('PUT /devices'))
  assert.equal(writes.length, storm, 'each device once')
  await wait(200)
  for (const [index, device] of devices.entries()) {
    const { operationId } = accepted[index]!.json()
    assert.equal((await api.poll(device, String(operationId))).json()['status'], 'assigned')
  }
})

test('a stop does not wait for a storm to pass, and the next start goes on with it', async () => {
  const devices = await Promise.all(
    Array.from({ length: 40 }, (_, number) =>
      enrollDevice(service, `stopped-${number}`, { allocationPolicy: 'static', iotHubs: [fake.hostName] }),
    ),
  )
  const accepted = await Promise.all(devices.map((device) => api.register(device)))
  const startedAt = Date.now()
  assert.equal(await service.stop(), 0)
  assert.ok(Date.now() - startedAt < 12_000)
  const placed = devices.filter(({ registrationId }) => fake.devices.has(registrationId)).length
  assert.ok(placed < 36, `${placed} were placed before the stop`)
  await service.restart()
  const ended = async (index: number) => {
    const { operationId } = accepted[index]!.json()
    const { status } = (await api.poll(devices[index]!, String(operationId))).json()
    return status === 'assigned'
  }
  const all = async () => (await Promise.all(devices.map((_, index) => ended(index)))).every(Boolean)
  assert.ok(await eventually(all, 40_000))
})

test('a first assignment that the hub refuses half way leaves nothing there', async () => {
  const initialTwin = { tags: { line: 4 } }
  const entry = { allocationPolicy: 'static', iotHubs: [fake.hostName], initialTwin }
  const device = await enrollDevice(service, 'half-way', entry)
  fake.fail('none', { status: 400, code: 'ArgumentInvalid' })
  assert.equal(await endOf(device), 'failed')
  assert.ok(await eventually(async () => !fake.devices.has('half-way')))
  assert.equal(await endOf(device), 'assigned', 'and the next attempt begins anew')
})

/** How a registration ends, however long its hub's queue is. */
async function endOf(device: Device): Promise<unknown> {
  const { operationId } = (await api.register(device)).json()
  const status = async () => (await api.poll(device, String(operationId))).json()['status']
  await eventually(async () => (await status()) !== 'assigning', 30_000)
  return status()
}
