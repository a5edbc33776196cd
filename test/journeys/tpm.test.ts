import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openNodeRunner, type DeviceRunner } from '../../sdk/runner.ts'
import { startService, type Service } from '../fixtures/service.ts'
import { startSoftwareTpm, type SoftwareTpm } from '../tpm/software-tpm.ts'
import { openTpmDevice } from '../tpm/tpm-device.ts'
import { hubsWith } from './hub-devices.ts'

const network = '127.70.12'
const hubs = [`${network}.2`, `${network}.3`]
const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

let service: Service
let tpm: SoftwareTpm
let runner: DeviceRunner
before(async () => {
  service = opened.use(await startService({ network }))
  tpm = opened.use(await startSoftwareTpm(`${network}.9`))
  runner = opened.use(await openNodeRunner({ caFile: service.caFile }))
})

test('a TPM is described to custom code by its keys, and its hub key goes with it from hub to hub', async () => {
  using device = await openTpmDevice(tpm)
  const keys = {
    endorsementKey: device.endorsementKey.toString('base64'),
    storageRootKey: device.storageRootKey.toString('base64'),
  }
  const asked = join(service.dataFolder, 'asked.json')
  mkdirSync(join(service.dataFolder, 'policies'))
  writeFileSync(
    join(service.dataFolder, 'policies', 'elsewhere.ts'),
    `import { writeFileSync } from 'node:fs'
     interface Request { deviceRuntimeContext: { currentIotHubHostName?: string }; linkedHubs: string[] }
     export default (request: Request) => {
       writeFileSync(${JSON.stringify(asked)}, JSON.stringify(request))
       const { currentIotHubHostName } = request.deviceRuntimeContext
       return { iotHubHostName: request.linkedHubs.find((hub) => hub !== currentIotHubHostName) }
     }`,
  )
  await service.operate('PUT', '/enrollments/tpm-journey', {
    registrationId: 'tpm-journey',
    attestation: { type: 'tpm', tpm: keys },
    allocationPolicy: 'custom',
    customAllocationDefinition: { webhookUrl: 'https://in-process/elsewhere', apiVersion: '2021-10-01' },
    initialTwin: { tags: {}, properties: { desired: { mode: 'eco' } } },
  })

  const { deviceHost: host, idScope } = service
  for (const hub of [0, 1, 0]) {
    const result = await runner.run({
      host,
      idScope,
      registrationId: 'tpm-journey',
      transport: 'http',
      attestation: { tpm: { host: tpm.host, port: tpm.port } },
      connect: true,
    })
    assert.deepEqual([result.error, result.assignedHub], [undefined, hubs[hub]])
    assert.equal(result.twin?.desired['mode'], 'eco', 'the hub let it in with the key from its TPM')
    assert.deepEqual(await hubsWith(service, 'tpm-journey'), [hub])
  }
  const { deviceRuntimeContext } = JSON.parse(readFileSync(asked, 'utf8')) as { deviceRuntimeContext: object }
  assert.deepEqual(deviceRuntimeContext, {
    registrationId: 'tpm-journey',
    currentIotHubHostName: hubs[1],
    currentDeviceId: 'tpm-journey',
    tpm: keys,
  })
})
