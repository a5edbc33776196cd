import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openNodeRunner, type DeviceCredential, type DeviceRunner, type DeviceTransport } from '../../sdk/runner.ts'
import { createRoot, type Authority } from '../fixtures/certificates.ts'
import { ensureDebian } from '../fixtures/debian.ts'
import { newKey } from '../fixtures/enrollments.ts'
import { derivedKey } from '../fixtures/sas.ts'
import { startService, type Service } from '../fixtures/service.ts'
import { softHsmPackages } from './debian-files.ts'
import { openSoftHsm } from './soft-hsm.ts'
import type { Token } from './token.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

let service: Service
let token: Token
let devices: DeviceRunner
let root: Authority

before(async () => {
  await ensureDebian([...Object.keys(softHsmPackages), 'python3-pykcs11'])
  service = opened.use(await startService({ network: '127.41.1' }))
  token = opened.use(await openSoftHsm())
  devices = opened.use(await openNodeRunner({ caFile: service.caFile, environment: token.environment }))
  root = await createRoot('Plant root')
  await service.operate('PUT', '/enrollmentGroups/pumps', {
    enrollmentGroupId: 'pumps',
    attestation: { type: 'x509', x509: { signingCertificates: { primary: { certificate: root.certificate } } } },
    initialTwin: { properties: { desired: { marker: 'pumps' } } },
  })
})

for (const transport of ['http', 'mqtt', 'amqp'] as const) {
  test(`a key pair of the module provisions over ${transport} by its own certificate, and then connects to the hub`, async () => {
    const device = `own-${transport}`
    const key = await token.makeKeyPair(device)
    const certificate = await token.selfSigned(device)
    await enroll(device, { type: 'x509', x509: { clientCertificates: { primary: { certificate } } } })
    await provisions(device, transport, { certificate, key })
  })

  test(`a key pair of the module provisions over ${transport} by its group, and then connects to the hub`, async () => {
    const device = `of-group-${transport}`
    const key = await token.makeKeyPair(device)
    const certificate = await root.signRequest(await token.request(device))
    await provisions(device, transport, { certificate, key }, 'pumps')
  })

  test(`a symmetric key of the module signs the tokens of a registration over ${transport}, and those for the hub`, async () => {
    const device = `hmac-${transport}`
    const primaryKey = newKey()
    await enroll(device, { type: 'symmetricKey', symmetricKey: { primaryKey, secondaryKey: newKey() } })
    await provisions(device, transport, { hmac: await token.holdKey(device, primaryKey) })
  })
}

for (const type of ['EC:secp384r1', 'rsa:2048'] as const)
  test(`a module's key pair of type ${type} serves as well`, async () => {
    const device = `kind-${type.replace(':', '-').toLowerCase()}`
    const key = await token.makeKeyPair(device, { type })
    const certificate = await root.signRequest(await token.request(device))
    await provisions(device, 'http', { certificate, key }, 'pumps')
  })

test('a symmetric key that was derived for its device signs for the group', async () => {
  const primaryKey = newKey()
  await service.operate('PUT', '/enrollmentGroups/valves', {
    enrollmentGroupId: 'valves',
    attestation: { type: 'symmetricKey', symmetricKey: { primaryKey, secondaryKey: newKey() } },
    initialTwin: { properties: { desired: { marker: 'valves' } } },
  })
  const hmac = await token.holdKey('valve-1', derivedKey(primaryKey, 'valve-1'))
  await provisions('valve-1', 'mqtt', { hmac }, 'valves')
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
  await service.logged(/refused stranger.*Mqtt/)
})

test('another key of the same module is refused for an enrolled certificate', async () => {
  await token.makeKeyPair('rightful')
  const certificate = await token.selfSigned('rightful')
  await enroll('rightful', { type: 'x509', x509: { clientCertificates: { primary: { certificate } } } })
  const other = await token.makeKeyPair('other')
  assert.equal((await register('rightful', 'http', { certificate, key: other })).ok, false)
})

test('a symmetric key of the module that is not the enrolled one is refused', async () => {
  await enroll('wrong', { type: 'symmetricKey', symmetricKey: { primaryKey: newKey(), secondaryKey: newKey() } })
  const { ok, error } = await register('wrong', 'mqtt', { hmac: await token.holdKey('wrong', newKey()) })
  assert.equal(ok, false)
  assert.equal(error?.name, 'UnauthorizedError')
})

async function enroll(registrationId: string, attestation: object): Promise<void> {
  const initialTwin = { properties: { desired: { marker: registrationId } } }
  await service.operate('PUT', `/enrollments/${registrationId}`, { registrationId, attestation, initialTwin })
}

function register(registrationId: string, transport: DeviceTransport, attestation: DeviceCredential) {
  const { deviceHost: host, idScope } = service
  const job = { host, idScope, registrationId, transport, attestation, connect: true, report: { alive: true } }
  return devices.run(job)
}

async function provisions(
  device: string,
  transport: DeviceTransport,
  credential: DeviceCredential,
  marker = device,
): Promise<void> {
  const result = await register(device, transport, credential)
  assert.equal(result.error, undefined)
  assert.equal(result.status, 'assigned')
  assert.equal(result.deviceId, device)
  assert.equal(result.twin?.desired['marker'], marker)
}
