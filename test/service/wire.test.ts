import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Store } from '../../src/store/store.ts'
import { askHttps } from '../fixtures/https.ts'
import { sasToken } from '../fixtures/sas.ts'
import { openEndpoint } from './endpoint.ts'

const endpoint = await openEndpoint('127.50.5.1')
after(() => endpoint[Symbol.asyncDispose]())
const { call, host } = endpoint
const keyName = 'provisioningserviceowner'
const authorization = sasToken(host, endpoint.keys[keyName].primary, { keyName })
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const raw = (method: string, path: string, body?: string, headers = {}) =>
  askHttps(host, 443, endpoint.ca, { method, path, body, headers: { authorization, ...headers } })

test('an error has the service object, its code and tracking id in headers too, and the JSON content type', async () => {
  const answer = await call('GET', '/enrollments/nobody')
  const { errorCode, trackingId, message, timestampUtc, ...rest } = answer.json()
  assert.deepEqual({ errorCode, message, rest }, { errorCode: 404201, message: 'Enrollment not found.', rest: {} })
  assert.match(String(trackingId), uuid)
  assert.match(String(timestampUtc), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/)
  assert.equal(answer.headers['x-ms-request-id'], trackingId)
  assert.equal(answer.headers['x-ms-error-code'], '404201')
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
})

test('an answer has a request id, strict transport security and the JSON content type; 204 has no body', async () => {
  const body = { registrationId: 'plain', attestation: { type: 'symmetricKey' } }
  const created = await call('PUT', '/enrollments/plain', body)
  assert.equal(created.headers['content-type'], 'application/json; charset=utf-8')
  assert.equal(created.headers['strict-transport-security'], 'max-age=31536000; includeSubDomains')
  assert.match(String(created.headers['x-ms-request-id']), uuid)
  const deleted = await call('DELETE', '/enrollments/plain')
  assert.deepEqual([deleted.status, deleted.text, deleted.headers['content-type']], [204, '', undefined])
})

const routes: readonly (readonly [method: string, path: string, status: number])[] = [
  ['GET', '/enrollments', 405],
  ['PUT', '/enrollments/', 405],
  ['PATCH', '/enrollments/a', 405],
  ['GET', '/enrollments/a/attestationmechanism', 405],
  ['PUT', '/registrations/a', 405],
  ['GET', '/registrations', 405],
  ['GET', '/registrations/', 405],
  ['OPTIONS', '/enrollmentGroups/a', 405],
  ['GET', '/enrollments/a/b', 404],
  ['GET', '/enrollments/a/b/c', 404],
  ['GET', '/enrollments//', 404],
  ['GET', '/enrollments/%E0%A4%A', 404],
  ['GET', '/enrollments/a%2Fattestationmechanism', 404],
  ['POST', '/enrollments/a/attestationmechanism/', 404],
  ['POST', '/EnrollmentGroups/Query/', 200],
]

for (const [method, path, status] of routes) {
  test(`${method} ${path} reads ${status}`, async () => {
    const answer = await call(method, path)
    assert.equal(answer.status, status, answer.text)
    if (status !== 200) assert.equal(Math.floor(Number(answer.json()['errorCode']) / 1000), status)
  })
}

test('without an api-version the call is refused with 400; every published one, and a future one, is taken', async () => {
  for (const query of ['', '?api-version=', '?api-version=%00', `?api-version=${'1'.repeat(50)}`]) {
    const answer = await raw('GET', `/enrollments/nobody${query}`)
    assert.deepEqual([answer.status, answer.json()['errorCode']], [400, 400000])
  }
  for (const version of ['2018-04-01', '2018-11-01', '2019-03-31', '2021-10-01', '2031-01-01-preview']) {
    assert.equal((await raw('GET', `/enrollments/nobody?api-version=${version}`)).status, 404)
  }
})

const put = (body: string, headers: Record<string, string | undefined> = {}) =>
  raw('PUT', '/enrollments/body?api-version=2021-10-01', body, headers)

test('a body that is not a JSON object is refused with 400004', async () => {
  for (const body of ['', '{', '[]', 'null', '"x"', '7', '{"a":1}}', '\u0000']) {
    const answer = await put(body)
    assert.deepEqual(
      [answer.status, answer.json()['errorCode'], answer.json()['info']],
      [400, 400004, { member: 'body' }],
    )
  }
})

test('a body of another media type is refused with 415; JSON in any spelling, or unnamed, is taken', async () => {
  const body = JSON.stringify({ registrationId: 'body', attestation: { type: 'symmetricKey' } })
  for (const type of ['text/plain', 'application/xml', 'application/jsonp', 'application/x-www-form-urlencoded']) {
    assert.equal((await put(body, { 'content-type': type })).status, 415, type)
  }
  for (const type of [
    'application/json',
    'Application/JSON; charset=utf-8',
    'application/merge-patch+json',
    undefined,
  ]) {
    assert.equal((await put(body, { 'content-type': type, 'if-match': '*' })).status, 412, String(type))
  }
  assert.equal((await put(`\ufeff${body}`)).status, 200)
})

test('a body beyond 96 KB is refused with 413, one of 96 KB is read', async () => {
  const body = (length: number) => `{"unheardOf":"${'x'.repeat(length - 16)}"}`
  assert.equal((await put(body(96 * 1024), { 'if-match': '*' })).json()['errorCode'], 400004)
  const answer = await put(body(96 * 1024 + 1))
  assert.deepEqual([answer.status, answer.json()['errorCode']], [413, 413000])
  assert.equal((await put(body(1024 * 1024))).status, 413)
})

test('attestationmechanism takes no body, an empty one and {}', async () => {
  await call('PUT', '/enrollments/mech', { registrationId: 'mech', attestation: { type: 'symmetricKey' } })
  for (const body of [undefined, '', '{}']) {
    const answer = await raw('POST', '/enrollments/mech/attestationmechanism?api-version=2019-03-31', body)
    assert.equal(answer.status, 200, answer.text)
  }
})

test('what is told and logged of a fault is a tracking id, and nothing of the fault', async () => {
  const failing: Store = { ...endpoint.store, transact: () => Promise.reject(new Error('disk full at /secret/path')) }
  await using broken = await openEndpoint('127.50.5.2', { store: { ...failing, ...readerOf(endpoint.store) } })
  const body = { registrationId: 'x', attestation: { type: 'symmetricKey' } }
  const own = sasToken(host, endpoint.keys[keyName].primary, { keyName })
  const answer = await broken.call('PUT', '/enrollments/x', body, { authorization: own, host: 'acme-dps.example.net' })
  assert.equal(answer.status, 500)
  const { errorCode, message, trackingId, info } = answer.json()
  assert.deepEqual([errorCode, message, info], [500001, 'An unexpected error occurred.', undefined])
  assert.equal(broken.faults.length, 1)
  const line = broken.audit.find(({ correlationId }) => correlationId === trackingId)
  assert.deepEqual([line?.resultType, line?.level, line?.resultSignature], ['Failure', 'Error', '500001'])
  assert.ok(!JSON.stringify(broken.audit).includes('disk'))
})

test('a change leaves an audit line with who, what, before and after, and no secret', async () => {
  const body = { registrationId: 'Audited', attestation: { type: 'symmetricKey' }, deviceId: 'one' }
  const created = await call('PUT', '/enrollments/audited', body)
  await call('PUT', '/enrollments/audited', { ...body, deviceId: 'two' }, { 'if-match': '*' })
  const { time, durationMs, correlationId, changes, ...line } = endpoint.audit.at(-1)!
  assert.deepEqual(line, {
    category: 'ServiceOperations',
    operationName: 'Upsert',
    operationVersion: '2021-10-01',
    resultType: 'Success',
    resultSignature: '200',
    resultDescription: '',
    level: 'Information',
    callerIpAddress: '127.0.0.x',
    idScope: endpoint.idScope,
    principal: { kind: 'sas', policy: keyName },
    properties: { id: 'audited', type: 'IndividualEnrollment', protocol: 'Http' },
  })
  assert.ok(time && durationMs >= 0 && uuid.test(correlationId))
  assert.ok(changes)
  const [change] = changes() as { before: Record<string, unknown>; after: Record<string, unknown> }[]
  assert.deepEqual([change?.before['deviceId'], change?.after['deviceId']], ['one', 'two'])
  const { symmetricKey } = created.json()['attestation'] as { symmetricKey: { primaryKey: string } }
  assert.ok(!JSON.stringify([line, change]).includes(symmetricKey.primaryKey))
})

test('operations are metered when they succeed, a bulk call by its items', async () => {
  const counts = () =>
    Promise.all(
      ['Get IndividualEnrollment', 'Upsert IndividualEnrollment', 'BulkOperation IndividualEnrollment'].map(
        endpoint.metered,
      ),
    )
  const [get = 0, upsert = 0, bulk = 0] = await counts()
  await call('GET', '/enrollments/audited')
  await call('GET', '/enrollments/not-there')
  const enrollments = ['audited', 'm-1', 'm-2'].map((registrationId) => ({
    registrationId,
    attestation: { type: 'symmetricKey' },
  }))
  await call('POST', '/enrollments', { mode: 'create', enrollments })
  assert.deepEqual(await counts(), [get + 1, upsert, bulk + 2])
})

function readerOf(store: Store): Omit<Store, 'transact'> {
  const { transact: _, ...reader } = store
  return { ...reader, [Symbol.asyncDispose]: async () => {} }
}
