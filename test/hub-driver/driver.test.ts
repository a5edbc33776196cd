import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { hubGuard, type HubGuard, type LinkHealth } from '../../src/hub/hub-guard.ts'
import { httpsTransport } from '../../src/hub/https-transport.ts'
import { iotHub, type IotHub } from '../../src/hub/iot-hub.ts'
import { probe } from '../../src/hub/probe.ts'
import { applyInitialTwin, createAnew, ensureDevice, twinData } from '../../src/hub/provision.ts'
import { hubTransport } from '../../src/main/hub-transport.ts'
import { Secret } from '../../src/base/secret.ts'
import type { LinkedHub } from '../../src/model/service.ts'
import { networks } from '../../src/base/networks.ts'
import { hostName as bundledName, keyOf, open } from '../fixtures/bundled-hub.ts'
import { faults, openFakeIotHub, type Fault } from './fake-iot-hub.ts'
import { asDeviceId } from '../fixtures/identifiers.ts'

const fake = await openFakeIotHub('127.70.6.1')
const https = httpsTransport([fake.ca], networks(['127.70.6.1']), 300)
const bundled = await open()
after(async () => {
  https[Symbol.dispose]()
  await bundled[Symbol.asyncDispose]()
  await fake[Symbol.asyncDispose]()
})
beforeEach(() => {
  fake.calls.length = 0
})

const credential = {
  type: 'sas' as const,
  primaryKey: new Secret(Buffer.alloc(32, 1)),
  secondaryKey: new Secret(Buffer.alloc(32, 2)),
}
const another = { type: 'selfSigned' as const, primaryThumbprint: 'AB'.repeat(32) }
let devices = 0
const newDevice = (iotEdge = false) => ({ deviceId: asDeviceId(`driven#${++devices}`), credential, iotEdge })

const hubs: readonly [name: string, open: () => IotHub][] = [
  ['a fake of Azure IoT Hub over TLS', () => fakeHub()],
  [
    'the bundled hub',
    () => iotHub(link(bundledName, bundledKey()), hubTransport(bundled, https), Date.now, patience(0)),
  ],
]

for (const [name, openHub] of hubs) {
  const hub = openHub()

  test(`${name}: ensuring a device twice leaves the same device`, async () => {
    const device = newDevice()
    const first = await ensureDevice(hub, device, false)
    assert.equal(first.existed, false)
    const made = await hub.device(device.deviceId)
    const second = await ensureDevice(hub, device, true)
    assert.deepEqual([second.existed, await hub.device(device.deviceId)], [true, made])
    assert.ok(second.primaryKey?.equals(credential.primaryKey))
  })

  test(`${name}: a new credential is written over the old one, and an operator’s “disabled” stays`, async () => {
    const device = newDevice()
    await ensureDevice(hub, device, false)
    const identity = await hub.device(device.deviceId)
    assert.ok(await hub.replace({ ...identity!, status: 'disabled' }))
    await ensureDevice(hub, { ...device, credential: another }, true)
    const after = await hub.device(device.deviceId)
    assert.equal(after?.['status'], 'disabled')
    assert.deepEqual(
      [after?.authentication.type, after?.authentication.x509Thumbprint?.primaryThumbprint],
      ['selfSigned', another.primaryThumbprint],
    )
  })

  test(`${name}: an edge device has the edge capability`, async () => {
    const device = newDevice(true)
    await ensureDevice(hub, device, false)
    assert.equal((await hub.device(device.deviceId))?.capabilities?.iotEdge, true)
  })

  test(`${name}: replacing what has changed meanwhile, or is gone, does nothing`, async () => {
    const device = newDevice()
    await ensureDevice(hub, device, false)
    const identity = await hub.device(device.deviceId)
    await hub.replace(identity!)
    assert.equal(await hub.replace(identity!), undefined, 'its etag is old')
    await hub.remove(device.deviceId)
    assert.equal(await hub.replace(identity!), undefined, 'it is gone')
    await hub.remove(device.deviceId)
    assert.equal(await hub.device(device.deviceId), undefined)
    assert.equal(await hub.twin(device.deviceId), undefined)
  })

  test(`${name}: a whole twin is created, reported properties too, over whatever stood there`, async () => {
    const device = newDevice()
    await ensureDevice(hub, device, false)
    const twin = { tags: { site: 'north' }, desired: { mode: 'eco' }, reported: { firmware: '1.2' } }
    await createAnew(hub, device, twin)
    assert.deepEqual(twinData((await hub.twin(device.deviceId))!), twin)
    assert.equal(await hub.createWithTwin({ deviceId: device.deviceId, authentication: { type: 'sas' } }, twin), false)
  })

  test(`${name}: a device made anew without a twin gets its first configuration only`, async () => {
    const device = newDevice()
    await createAnew(hub, device, { reported: { old: true } })
    await createAnew(hub, device, undefined)
    await applyInitialTwin(hub, device.deviceId, {
      tags: { line: 4 },
      properties: { desired: { $version: 7, mode: 'new' } },
    })
    const twin = twinData((await hub.twin(device.deviceId))!)
    assert.deepEqual(twin, { tags: { line: 4 }, desired: { mode: 'new' }, reported: undefined })
  })
}

const passing: readonly [name: string, faults: readonly Fault[]][] = [
  ['429 with Retry-After', [faults.throttled]],
  ['500, twice', [faults.failed, faults.failed]],
  ['503', [faults.unavailable]],
  ['a reset connection', ['reset']],
  ['no answer in time', ['silence']],
  ['an answer that was lost after the device was made', ['lost']],
]
for (const [name, given] of passing) {
  test(`what passes is waited out: ${name}`, async () => {
    const device = newDevice()
    fake.fail(...given)
    const { primaryKey } = await ensureDevice(fakeHub({ wait: 5000 }), device, false)
    assert.ok(primaryKey?.equals(credential.primaryKey))
    assert.ok(fake.devices.has(device.deviceId))
    const asked = given[0]
    if (typeof asked === 'object' && 'retryAfter' in asked) {
      const [first, second] = fake.calls
      assert.ok(second!.at - first!.at >= 1000, 'not before the hub asked for it')
    }
  })
}

const lasting: readonly [name: string, fault: Fault, reason: string, errorCode: number][] = [
  ['401', faults.unauthorized, 'HubUnauthorized', 400209],
  ['403, the quota', faults.quota, 'HubRefused', 400000],
]
for (const [name, fault, reason, errorCode] of lasting) {
  test(`what lasts is refused at once, in the hub’s own words: ${name}`, async () => {
    fake.fail(fault)
    await assert.rejects(
      ensureDevice(fakeHub({ wait: 5000 }), newDevice(), false),
      (error: Error & { publicMessage?: string }) => {
        assert.deepEqual([Reflect.get(error, 'reason'), Reflect.get(error, 'errorCode')], [reason, errorCode])
        assert.match(String(error.publicMessage), /ErrorCode:/)
        return true
      },
    )
    assert.equal(fake.calls.length, 1)
  })
}

test('an identity that changes between reading and writing is read again', async () => {
  const device = newDevice()
  await ensureDevice(fakeHub(), device, false)
  const hub = fakeHub()
  const racing: IotHub = {
    ...hub,
    device: async (id) => {
      const read = await hub.device(id)
      if (fake.calls.length < 3) await hub.replace({ ...read!, statusReason: 'somebody else' })
      return read
    },
  }
  fake.calls.length = 0
  await ensureDevice(racing, { ...device, credential: another }, true)
  const stored = fake.devices.get(device.deviceId) as { statusReason?: string; authentication: { type: string } }
  assert.deepEqual([stored.statusReason, stored.authentication.type], ['somebody else', 'selfSigned'])
})

test('a hub that stays silent is given up when patience ends, with the time to come back', async () => {
  fake.fail({ ...faults.throttled, retryAfter: 60 })
  const refused = await ensureDevice(fakeHub({ wait: 1000 }), newDevice(), false).catch((error: unknown) => error)
  assert.ok(refused instanceof Error)
  assert.deepEqual([Reflect.get(refused, 'reason'), Reflect.get(refused, 'retryAfter')], ['HubUnavailable', 60])
})

test('a link whose key was rotated works with the key before, until the hub knows the new one', async () => {
  const next = new Secret(Buffer.alloc(32, 9))
  const overlapping = { ...link(fake.hostName, next), previousKey: fake.key }
  const { guard, changes } = watching()
  const hub = iotHub(overlapping, guard.watch(https), Date.now, patience(0))
  const device = newDevice()
  await ensureDevice(hub, device, false)
  await ensureDevice(hub, device, true)
  assert.ok(fake.devices.has(device.deviceId))
  assert.deepEqual(changes, [], 'nobody was told of a broken link')
})

test('a probe finds a link whose key is no longer good, and says so before any device', async () => {
  const { guard, changes } = watching()
  const transport = guard.watch(https)
  const good = link(fake.hostName, fake.key)
  await probe(good, { guard, transport, clock: Date.now, monotonic: Date.now })
  assert.equal(guard.broken(fake.hostName), undefined)
  assert.ok((guard.latency(fake.hostName) ?? 0) > 0)
  assert.deepEqual(
    fake.calls.map(({ call }) => call.split('/')[1]),
    ['devices', 'twins', 'devices'],
  )

  const key = fake.rotate()
  await probe(good, { guard, transport, clock: Date.now, monotonic: Date.now })
  assert.match(String(guard.broken(fake.hostName)), /^unauthorized since \d{4}-/)
  await probe({ ...good, key }, { guard, transport, clock: Date.now, monotonic: Date.now })
  assert.equal(guard.broken(fake.hostName), undefined)
  assert.deepEqual(
    changes.map(({ state }) => state),
    ['unauthorized', 'healthy'],
  )
})

test('a hub that does not answer is left alone, and one call finds out when it is back', async () => {
  let now = Date.now()
  const { guard, changes } = watching(() => now)
  const call = () => iotHub(link(fake.hostName, fake.key), guard.watch(https), () => now, patience(0)).device('nobody')
  fake.fail(faults.failed, faults.failed, faults.failed)
  for (let attempt = 0; attempt < 3; attempt++) await assert.rejects(call())
  assert.match(String(guard.broken(fake.hostName)), /^unavailable/)
  const before = fake.calls.length
  for (let attempt = 0; attempt < 20; attempt++) await assert.rejects(call(), /is not called/)
  assert.equal(fake.calls.length, before, 'nothing reached the hub')
  now += 1100
  const results = await Promise.allSettled([call(), call(), call()])
  assert.equal(fake.calls.length, before + 1, 'one call tried')
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  assert.equal(guard.broken(fake.hostName), undefined)
  assert.deepEqual(
    changes.map(({ state }) => state),
    ['unavailable', 'healthy'],
  )
})

test('a hub that is full gets no new devices, until one fits or a while has passed', async () => {
  let now = Date.now()
  const { guard, changes } = watching(() => now)
  const hub = iotHub(link(fake.hostName, fake.key), guard.watch(https), () => now, patience(0))
  const create = () => hub.create({ deviceId: newDevice().deviceId, authentication: { type: 'sas' } })
  fake.fail(faults.quota)
  await assert.rejects(create())
  await hub.device('nobody')
  await hub.remove('nobody')
  assert.match(String(guard.broken(fake.hostName)), /^forbidden since/)
  now += 6 * 60_000
  assert.equal(guard.broken(fake.hostName), undefined, 'the next device may try')
  fake.fail(faults.quota)
  await assert.rejects(create())
  assert.match(String(guard.broken(fake.hostName)), /^forbidden since/)
  await create()
  assert.equal(guard.broken(fake.hostName), undefined)
  assert.deepEqual(
    changes.map(({ state }) => state),
    ['forbidden', 'healthy'],
  )
})

test('a hub that throttles is left alone as long as it asked', async () => {
  let now = Date.now()
  const { guard } = watching(() => now)
  const call = () => iotHub(link(fake.hostName, fake.key), guard.watch(https), () => now, patience(0)).device('nobody')
  fake.fail({ ...faults.throttled, retryAfter: 7 })
  await assert.rejects(call())
  now += 6900
  await assert.rejects(call(), /is not called: throttled/)
  now += 200
  await call()
  assert.equal(fake.calls.length, 2)
})

test('a storm of writes goes out as fast as the hub takes it, in its order, and devices hear how long it is', async () => {
  const perMinute = 600
  const { guard } = watching(Date.now, perMinute)
  const transport = guard.watch(https)
  const hub = iotHub(link(fake.hostName, fake.key), transport, Date.now, patience(0))
  const storm = 130
  const startedAt = Date.now()
  const all = Array.from({ length: storm }, () =>
    hub.create({ deviceId: newDevice().deviceId, authentication: { type: 'sas' } }),
  )
  assert.equal(guard.retryAfter(), 4, 'seconds until one more would have its turn')
  await hub.device('a reader waits for nobody')
  assert.ok(Date.now() - startedAt < 1000)
  await Promise.all(all)
  const took = Date.now() - startedAt
  // Ten seconds' worth at once, then one each 100 ms.
  assert.ok(took >= 2900 && took < 4500, `${storm} writes took ${took} ms`)
  assert.equal(guard.retryAfter(), 1)
})

function fakeHub({ wait = 0 } = {}): IotHub {
  return iotHub(link(fake.hostName, fake.key), https, Date.now, patience(wait))
}

function patience(wait: number) {
  return { until: Date.now() + wait, monotonic: Date.now, random: () => 0.5 }
}

function link(hostName: string, key: Secret): LinkedHub {
  return { hostName, keyName: 'iothubowner', key, location: 'here', allocationWeight: 1, applyAllocationPolicy: true }
}

function bundledKey(): Secret {
  return new Secret(Buffer.from(keyOf(bundled, 'iothubowner').reveal(), 'base64'))
}

function watching(clock: () => number = Date.now, perMinute?: number): { guard: HubGuard; changes: LinkHealth[] } {
  const changes: LinkHealth[] = []
  const onChange = (health: LinkHealth): void => void changes.push(health)
  return { guard: hubGuard({ clock, monotonic: clock, writesPerMinute: () => perMinute, onChange }), changes }
}
