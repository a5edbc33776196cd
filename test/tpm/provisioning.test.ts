import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { openNodeRunner, type DeviceRunner, type DeviceTransport } from '../../sdk/runner.ts'
import { connectionMembers, startService, type Service } from '../fixtures/service.ts'
import { startSoftwareTpm, type SoftwareTpm } from './software-tpm.ts'
import { openTpmDevice } from './tpm-device.ts'

const network = '127.40.10'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

let service: Service
let runner: DeviceRunner
let tpm: SoftwareTpm
let endorsementKey: string

before(async () => {
  service = opened.use(await startService({ network }))
  tpm = opened.use(await startSoftwareTpm('127.40.1.3'))
  runner = opened.use(await openNodeRunner({ caFile: service.caFile }))
  using device = await openTpmDevice(tpm)
  endorsementKey = device.endorsementKey.toString('base64')
})

// One TPM has one slot for its key, so its devices come one after another.
for (const transport of ['http', 'amqp', 'amqp-ws'] as const)
  test(`the Node SDK provisions a device with a real TPM over ${transport}, which then reads its twin at the hub`, async () => {
    const registrationId = `tpm-${transport}`
    await enroll(registrationId)
    const first = await provision(registrationId, transport, 'mqtt')
    assert.equal(first.error, undefined)
    assert.equal(first.status, 'assigned')
    assert.equal(first.substatus, 'initialAssignment')
    assert.equal(first.deviceId, registrationId)
    assert.equal(first.twin?.desired['marker'], registrationId)
    const key = await hubKey(first.assignedHub, registrationId)
    assert.equal(Buffer.from(key, 'base64').length, 32)

    const again = await provision(registrationId, transport, 'mqtt-ws')
    assert.equal(again.status, 'assigned')
    assert.equal(again.twin?.desired['marker'], registrationId)
    assert.equal(await hubKey(again.assignedHub, registrationId), key, 'the hub key is wrapped again, not rotated')
  })

test('a device without an ID of its own is known by the one that its endorsement key makes', async () => {
  const bits = Array.from(createHash('sha256').update(Buffer.from(endorsementKey, 'base64')).digest())
  const text = bits.map((byte) => byte.toString(2).padStart(8, '0')).join('')
  const letters = (text.match(/.{1,5}/g) ?? []).map((five) => Number.parseInt(five.padEnd(5, '0'), 2))
  const registrationId = letters.map((letter) => 'abcdefghijklmnopqrstuvwxyz234567'[letter]).join('')
  assert.equal(registrationId.length, 52)
  await enroll(registrationId)
  const result = await provision('', 'http', 'mqtt')
  assert.equal(result.error, undefined)
  assert.equal(result.deviceId, registrationId)
})

async function enroll(registrationId: string): Promise<void> {
  await service.operate('PUT', `/enrollments/${registrationId}`, {
    registrationId,
    attestation: { type: 'tpm', tpm: { endorsementKey } },
    initialTwin: { properties: { desired: { marker: registrationId } } },
  })
}

function provision(registrationId: string, transport: DeviceTransport, hubTransport: 'mqtt' | 'mqtt-ws') {
  const { deviceHost: host, idScope } = service
  const attestation = { tpm: { host: tpm.host, port: tpm.port } }
  return runner.run({ host, idScope, registrationId, transport, attestation, connect: true, hubTransport })
}

async function hubKey(hub: string | undefined, deviceId: string): Promise<string> {
  const at = service.hubConnectionStrings.findIndex((text) => connectionMembers(text)['HostName'] === hub)
  const { authentication } = (await service.askHub(at, 'GET', `/devices/${deviceId}`)).json()
  return (authentication as { symmetricKey: { primaryKey: string } }).symmetricKey.primaryKey
}
