import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openNodeRunner } from '../../sdk/runner.ts'
import { askHttps } from '../fixtures/https.ts'
import { sasToken } from '../fixtures/sas.ts'
import { openControlPlane } from '../management/control-plane.ts'

const plane = await openControlPlane('127.90.5')
const { service } = plane
after(() => plane[Symbol.asyncDispose]())

const key = Buffer.alloc(64, 5).toString('base64')
const other = Buffer.alloc(64, 6).toString('base64')
const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: key, secondaryKey: other } }

async function enroll(registrationId: string, entry: object = {}): Promise<void> {
  await service.operate('PUT', `/enrollments/${registrationId}`, { registrationId, attestation, ...entry }, ifMatch)
}

const ifMatch = { headers: { 'if-match': '*' } }

async function register(registrationId: string, signed = key): Promise<void> {
  const resource = `${service.idScope}/registrations/${registrationId}`
  const headers = { authorization: sasToken(resource, signed) }
  const path = `/${resource}/register?api-version=2021-06-01`
  await service.https({ method: 'PUT', path, headers, body: {} })
}

/** The samples, by name and labels. */
async function scrape(): Promise<ReadonlyMap<string, number>> {
  const { text } = await plane.call('GET', '/metrics')
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  )
}

test('metrics count attestations, registrations, assignments, refusals and what is billed', async () => {
  await service.operate('PUT', '/enrollments/pump', { registrationId: 'pump', attestation, iotHubs: ['127.90.5.2'] })
  await register('pump')
  await register('pump', Buffer.alloc(64, 9).toString('base64'))
  await register('nobody')
  const samples = await scrape()
  const expected = {
    'dps_attestation_attempts_total{instance="hubward",protocol="Http",status="Success"}': 1,
    'dps_attestation_attempts_total{instance="hubward",protocol="Http",status="Failed"}': 2,
    'dps_registration_attempts_total{instance="hubward",iot_hub="127.90.5.2",status="Success"}': 1,
    'dps_registration_attempts_total{instance="hubward",iot_hub="",status="Failed"}': 2,
    'dps_device_assignments_total{instance="hubward",iot_hub="127.90.5.2"}': 1,
    'dps_refusals_total{instance="hubward",reason="TokenSignatureInvalid"}': 1,
    'dps_refusals_total{instance="hubward",reason="EnrollmentNotFound"}': 1,
    'dps_billable_operations_total{instance="hubward",kind="Register"}': 1,
    'dps_http_requests_total{api="device",route="registrations/register",method="PUT",code="202"}': 1,
    'dps_enrollments{instance="hubward",type="IndividualEnrollment"}': 1,
    'dps_registrations{instance="hubward"}': 1,
    dps_operations_in_flight: 0,
    'dps_hub_link_up{iot_hub="127.90.5.2"}': 1,
  }
  const found = Object.keys(expected).map((sample) => [sample, samples.get(sample)])
  assert.deepEqual(Object.fromEntries(found), expected)
  assert.ok(
    [...samples.keys()].some((sample) => sample.startsWith('dps_hub_call_duration_seconds_count{iot_hub="127.90.5.2"')),
  )
})

test('names that strangers make up make no metrics', async () => {
  const path = '/0neAAAAAAAA/registrations/x/register?api-version=2021-06-01'
  await service.https({ method: 'PUT', path, body: {} })
  const samples = await scrape()
  assert.equal(samples.get('dps_refusals_total{instance="unknown",reason="IdScopeUnknown"}'), 1)
  assert.ok(![...samples.keys()].some((sample) => sample.includes('0neAAAAAAAA')))
})

test('metrics need a token, health and readiness do not, and none of them is on a device port', async () => {
  await plane.call('GET', '/metrics', { token: null, expect: 401 })
  for (const [path, status] of [
    ['/health', 'alive'],
    ['/ready', 'ready'],
  ] as const) {
    const answer = await askHttps(plane.host, plane.port, service.ca, { method: 'GET', path })
    assert.deepEqual([answer.status, answer.json()], [200, { status }])
  }
  for (const path of ['/metrics', '/health', '/ready', '/decisions']) {
    assert.notEqual((await service.https({ method: 'GET', path })).status, 200, path)
  }
})

test('every change, of an operator or an administrator, is one line of the audit log, with what it was and is, and no secret', async () => {
  await service.operate('PUT', '/enrollments/audited', { registrationId: 'audited', attestation, deviceId: 'one' })
  await enroll('audited', { deviceId: 'two' })
  await service.operate('GET', '/enrollments/audited')
  await service.operate('PUT', '/enrollments/audited', { registrationId: 'audited', attestation }, { expect: 409 })
  await plane.call('PUT', plane.path('hubward', '/limits'), { body: { pollsPerTenSeconds: 7 } })
  const stranger = { method: 'PUT', path: '/enrollments/audited?api-version=2021-10-01', body: {} }
  assert.equal((await service.https(stranger)).status, 401)
  await plane.call('PUT', plane.path('hubward', '/limits'), { body: {}, token: 'nobody', expect: 401 })
  const text = await readFile(join(service.dataFolder, 'audit.log'), 'utf8')
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const audited = lines.filter(({ properties }) => (properties as { id?: string } | undefined)?.id === 'audited')
  assert.deepEqual(
    audited.map(({ operationName, resultType }) => [operationName, resultType]),
    [
      ['Upsert', 'Success'],
      ['Upsert', 'Success'],
      ['Upsert', 'ClientError'],
    ],
  )
  const [, replaced] = audited
  assert.ok(replaced)
  const [change] = replaced['changes'] as [{ before: { deviceId: string }; after: { deviceId: string } }]
  assert.deepEqual([change.before.deviceId, change.after.deviceId], ['one', 'two'])
  assert.deepEqual(replaced['principal'], { kind: 'sas', policy: 'provisioningserviceowner' })
  const limits = lines.find(({ operationName }) => operationName === 'PutLimits')
  assert.deepEqual(limits?.['change'], { before: {}, after: { pollsPerTenSeconds: 7 } })
  assert.match(String(limits?.['principal']), /^token:/)
  for (const secret of [key, other, plane.token, 'SharedAccessSignature', 'sig=']) assert.ok(!text.includes(secret))
})

test('decisions are listed page by page, and told in words to whoever asks for text', async () => {
  for (let attempt = 0; attempt < 5; attempt++) await register('again-and-again')
  const first = (await plane.call('GET', '/decisions?registrationId=AGAIN-and-again&limit=3')).json()
  const second = (
    await plane.call('GET', `/decisions?registrationId=again-and-again&limit=3&before=${String(first['nextBefore'])}`)
  ).json()
  const idsOf = (page: Record<string, unknown>) => (page['value'] as { id: string }[]).map(({ id }) => id)
  const ids = [...idsOf(first), ...idsOf(second)]
  assert.equal(new Set(ids).size, 5)
  assert.deepEqual(ids, ids.toSorted().toReversed())
  assert.equal(second['nextBefore'], undefined)
  const [{ trackingId }] = first['value'] as [{ trackingId: string }]
  const told = await plane.call('GET', plane.path('hubward', `/decisions?trackingId=${trackingId}&format=text`))
  assert.match(told.text, /^\S+ {2}refused: EnrollmentNotFound\n {2}device +again-and-again at ID scope /)
  assert.match(told.text, /what to do +Enroll the device/)
})

test('a device of the Node SDK leaves a record of its assignment over every transport, with the name of the SDK', async () => {
  await using runner = await openNodeRunner({ caFile: service.caFile })
  for (const [transport, protocol] of transports) {
    const registrationId = `sdk-${transport}`
    await service.operate('PUT', `/enrollments/${registrationId}`, { registrationId, attestation })
    const { deviceHost: host, idScope } = service
    const result = await runner.run({ host, idScope, registrationId, transport, attestation: { symmetricKey: key } })
    assert.equal(result.status, 'assigned', JSON.stringify(result))
    const { value } = (await plane.call('GET', `/decisions?registrationId=${registrationId}`)).json()
    const [told, ...more] = value as { [member: string]: unknown; findings: { step: string; call?: string }[] }[]
    assert.ok(told && more.length === 0, `${more.length + 1} records over ${transport}`)
    const { outcome, assignedHub, userAgent, findings } = told
    assert.deepEqual([outcome, told['protocol'], assignedHub], ['assigned', protocol, result.assignedHub])
    assert.match(String(userAgent), /azure-iot-provisioning/)
    const steps = findings.map(({ step, call }) => call ?? step)
    assert.deepEqual(steps.slice(0, 4), ['candidate', 'attested', 'allocation', 'create the device'])
  }
})

const transports = [
  ['http', 'Http'],
  ['mqtt', 'Mqtt'],
  ['mqtt-ws', 'Mqtt'],
  ['amqp', 'Amqp'],
  ['amqp-ws', 'Amqp'],
] as const

test('decisions outlive the process that made them', async () => {
  await register('before-the-stop')
  await service.stop()
  await service.restart()
  const { value } = (await plane.call('GET', '/decisions?registrationId=before-the-stop')).json()
  assert.equal((value as unknown[]).length, 1)
})
