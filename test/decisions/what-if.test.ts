import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createRoot } from '../fixtures/certificates.ts'
import { derivedKey, sasToken } from '../fixtures/sas.ts'
import { newChip } from '../fixtures/tpm-chip.ts'
import { openControlPlane } from '../management/control-plane.ts'

const plane = await openControlPlane('127.90.2')
const { service } = plane
after(() => plane[Symbol.asyncDispose]())

const key = Buffer.alloc(64, 5).toString('base64')
const symmetricKey = { primaryKey: key, secondaryKey: Buffer.alloc(64, 6).toString('base64') }

async function whatIf(body: object): Promise<Record<string, unknown>> {
  return (await plane.call('POST', plane.path('hubward', '/whatif'), { body })).json()
}

async function enroll(registrationId: string, entry: object = {}): Promise<void> {
  const attestation = { type: 'symmetricKey', symmetricKey }
  await service.operate('PUT', `/enrollments/${registrationId}`, { registrationId, attestation, ...entry })
}

async function register(registrationId: string): Promise<Record<string, unknown>> {
  const resource = `${service.idScope}/registrations/${registrationId}`
  const path = `/${resource}/register?api-version=2021-06-01`
  const answer = await service.https({
    method: 'PUT',
    path,
    headers: { authorization: sasToken(resource, key) },
    body: {},
  })
  return answer.json()['registrationState'] as Record<string, unknown>
}

test('a device is foretold the hub that it then comes to, and nothing is done before it does', async () => {
  await enroll('pump')
  const token = sasToken(`${service.idScope}/registrations/pump`, key)
  const told = [
    await whatIf({ registrationId: 'pump', symmetricKey: key }),
    await whatIf({ registrationId: 'pump', token }),
  ]
  assert.deepEqual(
    told.map(({ outcome }) => outcome),
    ['assigned', 'assigned'],
  )
  await service.operate('GET', '/registrations/pump', undefined, { expect: 404 })
  for (const hub of [0, 1]) assert.equal((await service.askHub(hub, 'GET', '/devices/pump')).status, 404)
  assert.deepEqual((await plane.call('GET', '/decisions?registrationId=pump')).json()['value'], [])

  const { assignedHub } = await register('pump')
  assert.deepEqual(
    told.map((foretold) => foretold['assignedHub']),
    [assignedHub, assignedHub],
  )
})

test('a device that would stay at its hub is foretold that it stays', async () => {
  await enroll('stayer', { reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: true } })
  const { assignedHub } = await register('stayer')
  const told = await whatIf({ registrationId: 'stayer', symmetricKey: key })
  assert.deepEqual([told['outcome'], told['assignedHub']], ['assigned', assignedHub])
  assert.match(String(told['explanation']), /it would stay where it is/)
})

test('a chain is foretold the group that vouches for it, or the intermediate that it lacks', async () => {
  const root = await createRoot('Plant root')
  const { chain, certificate } = await (await root.issueAuthority('Plant line 3')).issueLeaf('valve')
  const signingCertificates = { primary: { certificate: root.certificate } }
  const attestation = { type: 'x509', x509: { signingCertificates } }
  await service.operate('PUT', '/enrollmentGroups/plant', { enrollmentGroupId: 'plant', attestation })

  const whole = await whatIf({ registrationId: 'valve', certificateChain: chain })
  assert.equal(whole['outcome'], 'assigned')
  assert.match(String(whole['explanation']), /vouched by +plant/)
  const leafAlone = await whatIf({ registrationId: 'valve', certificateChain: certificate })
  assert.deepEqual([leafAlone['outcome'], leafAlone['reason']], ['refused', 'ChainNotAnchored'])
  assert.match(String(leafAlone['explanation']), /issued by "CN=Plant line 3", which was neither presented/)
})

test('a TPM is foretold its challenge by its endorsement key alone, and another TPM its refusal', async () => {
  const [chip, other] = [newChip(), newChip()]
  const keyOf = ({ endorsementKey }: { endorsementKey: Buffer }) => ({
    endorsementKey: endorsementKey.toString('base64'),
  })
  await enroll('board', { attestation: { type: 'tpm', tpm: keyOf(chip) } })
  assert.equal((await whatIf({ registrationId: 'board', tpm: keyOf(chip) }))['outcome'], 'challenged')
  assert.equal((await whatIf({ registrationId: 'board', tpm: keyOf(other) }))['reason'], 'EndorsementKeyMismatch')
})

test('disabled, unknown and hubless devices are foretold so', async () => {
  await enroll('disabled', { provisioningStatus: 'disabled' })
  assert.equal((await whatIf({ registrationId: 'disabled', symmetricKey: key }))['outcome'], 'disabled')
  const master = await whatIf({ registrationId: 'nobody', symmetricKey: derivedKey(key, 'nobody') })
  assert.deepEqual([master['outcome'], master['reason']], ['refused', 'EnrollmentNotFound'])
  await enroll('either', { allocationPolicy: 'static' })
  const hubless = await whatIf({ registrationId: 'either', symmetricKey: key })
  assert.deepEqual([hubless['outcome'], hubless['reason']], ['failed', 'StaticHubAmbiguous'])
})

test('a custom policy is not asked what it would do', async () => {
  const customAllocationDefinition = { webhookUrl: 'https://127.90.2.200/never', apiVersion: '2021-10-01' }
  await enroll('tailored', { allocationPolicy: 'custom', customAllocationDefinition })
  const told = await whatIf({ registrationId: 'tailored', symmetricKey: key })
  assert.equal(told['outcome'], 'assigning')
  assert.match(String(told['detail']), /it was not asked now/)
})

test('what cannot be supposed is refused by the name of the member', async () => {
  for (const body of [
    {},
    { registrationId: 'pump', symmetricKey: '***' },
    { registrationId: 'pump', protocol: 'Coap' },
  ]) {
    await plane.call('POST', plane.path('hubward', '/whatif'), { body, expect: 400 })
  }
})
