import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openNodeRunner, type DeviceCredential } from '../../sdk/runner.ts'
import { ensureDebian } from '../fixtures/debian.ts'
import { tpmTokenPackages } from './debian-files.ts'
import { assertProvisioned, openPlant, type Plant } from './plant.ts'
import type { Token } from './token.ts'
import { openTpmToken } from './tpm-token.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

let plant: Plant
let token: Token

before(async () => {
  await ensureDebian([...Object.keys(tpmTokenPackages), 'python3-pykcs11'])
  plant = opened.use(await openPlant('127.41.2'))
  token = opened.use(await openTpmToken('127.41.9.1'))
})

for (const transport of ['http', 'mqtt'] as const) {
  test(`a key pair of a TPM provisions over ${transport} by its own certificate, and then connects to the hub`, async () => {
    const device = `own-${transport}`
    const key = await token.makeKeyPair(device)
    const certificate = await token.selfSigned(device)
    await plant.enrollCertificate(device, certificate)
    assertProvisioned(await register(device, transport, { certificate, key }), device, device)
  })

  test(`a key pair of a TPM provisions over ${transport} by its group, and then connects to the hub`, async () => {
    const device = `of-group-${transport}`
    const key = await token.makeKeyPair(device)
    const certificate = await plant.sign(await token.request(device))
    assertProvisioned(await register(device, transport, { certificate, key }), device, 'pumps')
  })
}

test('a key of the TPM cannot be taken out of it, and tpm2-pkcs11 has no way to ask for it', async () => {
  await token.makeKeyPair('kept')
  assert.deepEqual(await token.steal('kept'), {
    sensitive: true,
    extractable: false,
    neverExtractable: true,
    value: null,
    wrapped: 'CKR_FUNCTION_NOT_SUPPORTED',
  })
})

test('a key of the TPM whose certificate nobody enrolled is refused', async () => {
  const key = await token.makeKeyPair('stranger')
  const certificate = await token.selfSigned('stranger')
  const { ok, error } = await register('stranger', 'mqtt', { certificate, key })
  assert.equal(ok, false)
  assert.equal(error?.name, 'UnauthorizedError')
})

/** In a process of its own, as each device is: tpm2-pkcs11 reads which keys there are when it is loaded. */
async function register(device: string, transport: 'http' | 'mqtt', credential: DeviceCredential) {
  await using devices = await openNodeRunner({ caFile: plant.service.caFile, environment: token.environment })
  return await plant.register(devices, device, transport, credential)
}
