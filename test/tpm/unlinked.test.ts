import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openNodeRunner } from '../../sdk/runner.ts'
import { openControlPlane, type ControlPlane } from '../management/control-plane.ts'
import { startSoftwareTpm, type SoftwareTpm } from './software-tpm.ts'
import { openTpmDevice } from './tpm-device.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

let plane: ControlPlane
let tpm: SoftwareTpm

before(async () => {
  plane = opened.use(await openControlPlane('127.40.12'))
  tpm = opened.use(await startSoftwareTpm('127.40.1.5'))
})

test('a TPM that is to stay at a hub which is no longer linked keeps its key: it is refused before the challenge', async () => {
  const { service } = plane
  using device = await openTpmDevice(tpm)
  const tpmKeys = {
    endorsementKey: device.endorsementKey.toString('base64'),
    storageRootKey: device.storageRootKey.toString('base64'),
  }
  const registrationId = 'stayer'
  await service.operate('PUT', `/enrollments/${registrationId}`, {
    registrationId,
    attestation: { type: 'tpm', tpm: tpmKeys },
    reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: false },
  })
  await using runner = await openNodeRunner({ caFile: service.caFile })
  const { deviceHost: host, idScope } = service
  const attestation = { tpm: { host: tpm.host, port: tpm.port } }
  const { assignedHub } = await runner.run({ host, idScope, registrationId, transport: 'http', attestation })
  assert.ok(assignedHub)

  const instance = plane.path('hubward')
  const resource = (await plane.call('GET', instance)).json() as { properties: { iotHubs: { name: string }[] } }
  const iotHubs = resource.properties.iotHubs.filter(({ name }) => name !== assignedHub)
  assert.equal(iotHubs.length, 1)
  await plane.call('PUT', instance, { body: { ...resource, properties: { ...resource.properties, iotHubs } } })

  const refused = await service.https({
    method: 'PUT',
    path: `/${idScope}/registrations/${registrationId}/register?api-version=2021-06-01`,
    body: { registrationId, tpm: tpmKeys },
  })
  assert.equal(refused.json()['errorCode'], 401001)
  assert.equal(refused.json()['authenticationKey'], undefined, 'the device still has its hub key')
})
