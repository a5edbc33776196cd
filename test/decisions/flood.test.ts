import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sasToken } from '../fixtures/sas.ts'
import { openControlPlane } from '../management/control-plane.ts'

const told = 10
const plane = await openControlPlane('127.91.3', ['--refusals-told', String(told), '--decisions-kept', '200'])
const { service } = plane
after(() => plane[Symbol.asyncDispose]())

const key = Buffer.alloc(64, 5).toString('base64')
const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: key, secondaryKey: key } }
const wrong = Buffer.alloc(64, 9).toString('base64')

async function register(registrationId: string, signed: string): Promise<void> {
  const resource = `${service.idScope}/registrations/${registrationId}`
  const headers = { authorization: sasToken(resource, signed) }
  await service.https({ method: 'PUT', path: `/${resource}/register?api-version=2021-06-01`, headers, body: {} })
}

interface Told {
  readonly registrationId: string
  readonly outcome: string
  readonly alike?: number
}

async function decisions(query: string): Promise<readonly Told[]> {
  return (await plane.call('GET', `${plane.path('hubward', '/decisions')}?limit=100&${query}`)).json()[
    'value'
  ] as Told[]
}

const refusedLines = (name: RegExp) =>
  service
    .log()
    .split('\n')
    .filter((line) => /WARN: refused/.test(line) && name.test(line))

test('a flood of bad tokens hides and pushes out nothing of a known device, and every attempt is counted', async () => {
  const flood = 300
  await service.operate('PUT', '/enrollments/pump', { registrationId: 'pump', attestation })
  await register('pump', key)
  await register('pump', wrong)
  for (let sent = 0; sent < flood; sent += 10) {
    await Promise.all(Array.from({ length: 10 }, (_, index) => register(`stranger-${sent + index}`, wrong)))
  }
  await register('pump', wrong)
  await register('pump', key)

  const ofPump = await decisions('registrationId=pump')
  assert.deepEqual(
    ofPump.map(({ outcome }) => outcome),
    ['assigned', 'refused', 'refused', 'assigned'],
  )
  const strangers = (await decisions('')).filter(({ registrationId }) => registrationId.startsWith('stranger-'))
  assert.equal(strangers.length, told + 1)
  assert.equal(
    strangers.reduce((sum, { alike = 0 }) => sum + 1 + alike, 0),
    flood,
  )
  const explained = await plane.call('GET', `/decisions?registrationId=${strangers[0]!.registrationId}&format=text`)
  assert.match(
    explained.text,
    new RegExp(`and +${flood - told - 1} more that ended so shortly before were only counted\n`),
  )

  assert.equal(refusedLines(/ refused pump /).length, 2)
  const lines = refusedLines(/ refused stranger-/)
  assert.equal(lines.length, told + 1)
  assert.match(lines.at(-1)!, new RegExp(`\\(and ${flood - told - 1} more that ended so, only counted\\)$`))

  const { text } = await plane.call('GET', '/metrics')
  assert.ok(text.includes('dps_refusals_total{instance="hubward",reason="EnrollmentNotFound"} 300\n'))
  assert.ok(
    text.includes(`dps_decisions_counted_total{instance="hubward",reason="EnrollmentNotFound"} ${flood - told}\n`),
  )
  assert.ok(text.includes('dps_decisions_lost_total{share="known"} 0\n'))
})

test('calls of nobody to the control plane do not drown those of administrators in the log', async () => {
  for (let sent = 0; sent < 30; sent++) await plane.call('GET', '/admin/v1/tokens', { token: 'made-up', expect: 401 })
  await plane.call('PUT', plane.path('hubward', '/limits'), { body: {} })
  // The log is written beside the response, and may come after it.
  await service.logged(/PutLimits Success/)
  const lines = service.log().split('\n')
  assert.equal(lines.filter((line) => line.includes('ListTokens ClientError for nobody known')).length, told)
  assert.equal(lines.filter((line) => line.includes('PutLimits Success')).length, 1)
  await service.stop()
  assert.match(service.log(), /WARN: ListTokens ClientError [^\n]* \(and 19 more that ended so, only counted\)\n/)
})
