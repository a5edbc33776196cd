import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openNodeRunner, type DeviceCredential, type DeviceRunner, type DeviceTransport } from '../../sdk/runner.ts'
import { ensureDebian } from '../fixtures/debian.ts'
import { newKey } from '../fixtures/enrollments.ts'
import { derivedKey } from '../fixtures/sas.ts'
import { softHsmPackages } from './debian-files.ts'
import { assertProvisioned, openPlant, type Plant } from './plant.ts'
import { openSoftHsm } from './soft-hsm.ts'
import type { Token } from './token.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

let plant: Plant
let token: Token
let devices: DeviceRunner

before(async () => {
  await ensureDebian([...Object.keys(softHsmPackages), 'python3-pykcs11'])
  plant = opened.use(await openPlant('127.41.1'))
  token = opened.use(await openSoftHsm())
  devices = opened.use(await openNodeRunner({ caFile: plant.service.caFile, environment: token.environment }))
})

for (const transport of ['http', 'mqtt', 'amqp'] as const) {
  test(`a key pair of the module provisions over ${transport} by its own certificate, and then connects to the hub`, async () => {
    const device = `own-${transport}`
    const key = await token.makeKeyPair(device)
    const certificate = await token.selfSigned(device)
    await plant.enrollCertificate(device, certificate)
    assertProvisioned(await register(device, transport, { certificate, key }), device, device)
  })

  test(`a key pair of the module provisions over ${transport} by its group, and then connects to the hub`, async () => {
    const device = `of-group-${transport}`
    const key = await token.makeKeyPair(device)
    const certificate = await plant.sign(await token.request(device))
    assertProvisioned(await register(device, transport, { certificate, key }), device, 'pumps')
  })

  test(`a symmetric key of the module signs the tokens of a registration over ${transport}, and those for the hub`, async () => {
    const device = `hmac-${transport}`
    const primaryKey = newKey()
    await plant.enroll(device, symmetric(primaryKey))
    const hmac = await token.holdKey(device, primaryKey)
    assertProvisioned(await register(device, transport, { hmac }), device, device)
  })
}

for (const type of ['EC:secp384r1', 'rsa:2048'] as const)
  test(`a module's key pair of type ${type} serves as well`, async () => {
    const device = `kind-${type.replace(':', '-').toLowerCase()}`
    const key = await token.makeKeyPair(device, { type })
    const certificate = await plant.sign(await token.request(device))
    assertProvisioned(await register(device, 'http', { certificate, key }), device, 'pumps')
  })

test('a symmetric key that was derived for its device signs for the group', async () => {
  const primaryKey = newKey()
  await plant.enrollGroup('valves', symmetric(primaryKey))
  const hmac = await token.holdKey('valve-1', derivedKey(primaryKey, 'valve-1'))
  assertProvisioned(await register('valve-1', 'mqtt', { hmac }), 'valve-1', 'valves')
})

test('none of these keys can be taken out of the module, not even with its PIN', async () => {
  await token.makeKeyPair('kept')
  await token.holdKey('kept-too', newKey())
  const refused = { sensitive: true, extractable: false, value: null, wrapped: 'CKR_KEY_UNEXTRACTABLE' }
  assert.deepEqual(await token.steal('kept'), { ...refused, neverExtractable: true })
  // It came from outside, which the module does not forget.
  assert.deepEqual(await token.steal('kept-too'), { ...refused, neverExtractable: false })

  await token.makeKeyPair('careless', { extractable: true })
  const { wrapped } = await token.steal('careless')
  assert.ok(Number(wrapped) > 32, `the same attempt succeeds where the key may leave: ${wrapped}`)
})

test('a key of the module whose certificate nobody enrolled is refused, over HTTPS and MQTT', async () => {
  const key = await token.makeKeyPair('stranger')
  const certificate = await token.selfSigned('stranger')
  for (const transport of ['http', 'mqtt'] as const) {
    const { ok, error } = await register('stranger', transport, { certificate, key })
    assert.equal(ok, false)
    assert.equal(error?.name, 'UnauthorizedError')
  }
  await plant.service.logged(/refused stranger.*Mqtt/)
})

test('another key of the same module is refused for an enrolled certificate', async () => {
  await token.makeKeyPair('rightful')
  const certificate = await token.selfSigned('rightful')
  await plant.enrollCertificate('rightful', certificate)
  const other = await token.makeKeyPair('other')
  assert.equal((await register('rightful', 'http', { certificate, key: other })).ok, false)
})

test('a symmetric key of the module that is not the enrolled one is refused', async () => {
  await plant.enroll('wrong', symmetric(newKey()))
  const { ok, error } = await register('wrong', 'mqtt', { hmac: await token.holdKey('wrong', newKey()) })
  assert.equal(ok, false)
  assert.equal(error?.name, 'UnauthorizedError')
})

function symmetric(primaryKey: string): object {
  return { type: 'symmetricKey', symmetricKey: { primaryKey, secondaryKey: newKey() } }
}

function register(device: string, transport: DeviceTransport, credential: DeviceCredential) {
  return plant.register(devices, device, transport, credential)
}
