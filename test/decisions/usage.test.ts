import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sasToken } from '../fixtures/sas.ts'
import { openControlPlane } from '../management/control-plane.ts'

const plane = await openControlPlane('127.90.3', ['--management-token', 'keep'])
const { service } = plane
after(() => plane[Symbol.asyncDispose]())

const key = Buffer.alloc(64, 5).toString('base64')
const symmetricKey = { primaryKey: key, secondaryKey: key }
const attestation = { type: 'symmetricKey', symmetricKey }
const ids = (count: number, prefix: string) => Array.from({ length: count }, (_, index) => `${prefix}-${index}`)

/** What was counted until now, by kind. */
async function counted(): Promise<Record<string, number>> {
  const { value } = (await plane.call('GET', plane.path('hubward', '/usage?from=2000-01-01&to=9999-12-31'))).json()
  const rows = value as { kind: string; operations: number }[]
  const sums: Record<string, number> = {}
  for (const { kind, operations } of rows) sums[kind] = (sums[kind] ?? 0) + operations
  return sums
}

async function enroll(registrationId: string): Promise<void> {
  await service.operate('PUT', `/enrollments/${registrationId}`, { registrationId, attestation })
}

async function register(registrationId: string): Promise<string> {
  const resource = `${service.idScope}/registrations/${registrationId}`
  const path = `/${resource}/register?api-version=2021-06-01`
  const headers = { authorization: sasToken(resource, key) }
  const answer = await service.https({ method: 'PUT', path, headers, body: {} })
  return String(answer.json()['status'] ?? answer.status)
}

test('every operation that succeeds is counted once, however many come at once, and none that fails', async () => {
  const many = ids(40, 'many')
  await Promise.all(many.map(enroll))
  assert.deepEqual(new Set(await Promise.all(many.map(register))), new Set(['assigned']))
  await Promise.all([...many, ...many].map((id) => service.operate('GET', `/enrollments/${id}`)))
  await Promise.all(
    ids(10, 'absent').map((id) => service.operate('GET', `/enrollments/${id}`, undefined, { expect: 404 })),
  )
  assert.equal(await register('absent-1'), '401')
  const bulk = ids(10, 'bulk').map((registrationId) => ({ registrationId, attestation }))
  await service.operate('POST', '/enrollments', { mode: 'create', enrollments: bulk })
  await service.operate('POST', '/enrollments', { mode: 'create', enrollments: bulk.slice(0, 3) })
  await service.operate('POST', '/enrollments/query', { query: 'SELECT * FROM enrollments' })
  await service.operate('DELETE', '/enrollments/bulk-0')
  assert.deepEqual(await counted(), {
    'BulkOperation IndividualEnrollment': 10,
    'Delete IndividualEnrollment': 1,
    'Get IndividualEnrollment': 80,
    'Query IndividualEnrollment': 1,
    Register: 40,
    'Upsert IndividualEnrollment': 40,
  })
})

test('of one enrollment that many write at once, each write that succeeds is counted', async () => {
  const before = await counted()
  const writes = await Promise.all(
    ids(6, 'etag').map(() =>
      service.operate(
        'PUT',
        '/enrollments/many-0',
        { registrationId: 'many-0', attestation },
        { headers: { 'if-match': '*' } },
      ),
    ),
  )
  const after = await counted()
  const upserts = 'Upsert IndividualEnrollment'
  assert.equal(after[upserts]! - before[upserts]!, writes.length)
})

test('polls and look-ups are not billed', async () => {
  const before = await counted()
  const resource = `${service.idScope}/registrations/many-1`
  const headers = { authorization: sasToken(resource, key) }
  const lookup = { method: 'POST', path: `/${resource}?api-version=2021-06-01`, headers, body: {} }
  assert.equal((await service.https(lookup)).status, 200)
  assert.deepEqual(await counted(), before)
})

test('after a kill -9 in the middle, the bill has every registration that is stored, and no other', async () => {
  const before = await counted()
  const crowd = ids(120, 'crowd')
  await Promise.all(crowd.map(enroll))
  const answers = crowd.map((id) => register(id).catch(() => 'no answer'))
  await Promise.race(answers)
  await service.kill9()
  await Promise.all(answers)
  await service.restart()
  // The operations that the crash interrupted are run to their end before the service says that it is ready.
  const states = await Promise.all(crowd.map(stored))
  const registered = states.filter((status) => status === 'assigned').length
  assert.ok(
    registered > 0 && registered < crowd.length,
    `${registered} of ${crowd.length}: the crash came in the middle`,
  )
  const after = await counted()
  assert.equal(after['Register']! - before['Register']!, registered)
  assert.equal(after['Upsert IndividualEnrollment']! - before['Upsert IndividualEnrollment']!, crowd.length)
})

/** As the device sees it: a look-up, which is not billed. */
async function stored(registrationId: string): Promise<string> {
  const path = `/${service.idScope}/registrations/${registrationId}?api-version=2021-06-01`
  const headers = { authorization: sasToken(`${service.idScope}/registrations/${registrationId}`, key) }
  const answer = await service.https({ method: 'POST', path, headers, body: {} })
  return String(answer.json()['status'])
}
