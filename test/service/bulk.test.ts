import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openEndpoint } from './endpoint.ts'

const costs: number[] = []
const endpoint = await openEndpoint('127.50.7.1', { throttle: (_, operations) => void costs.push(operations) })
after(() => endpoint[Symbol.asyncDispose]())
const { call } = endpoint

const item = (registrationId: string, more = {}) => ({ registrationId, attestation: { type: 'symmetricKey' }, ...more })
const bulk = (mode: unknown, enrollments: unknown) => call('POST', '/enrollments/', { mode, enrollments })
const done = { errors: [], isSuccessful: true }
const exists = { errorCode: 409201, errorStatus: 'Enrollment already exists.' }

test('ten enrollments are created at once, without keys in the answer, and cost ten operations', async () => {
  const answer = await bulk(
    'create',
    Array.from({ length: 10 }, (_, n) => item(`ten-${n}`)),
  )
  assert.equal(answer.text, JSON.stringify(done))
  assert.equal(costs.at(-1), 10)
  assert.equal((await call('GET', '/enrollments/ten-9')).status, 200)
})

test('a refused item is told with its code and leaves the others alone; the call reads 200', async () => {
  const wrong = item('wrong', { deviceId: 'no/slash' })
  const answer = await bulk('create', [item('ten-1'), item('fresh'), wrong, item('bad id')])
  assert.equal(answer.status, 200)
  assert.deepEqual(answer.json(), {
    errors: [
      { registrationId: 'ten-1', ...exists },
      { registrationId: 'wrong', errorCode: 400004, errorStatus: 'deviceId is not a device ID of an IoT hub.' },
      { registrationId: 'bad id', errorCode: 400004, errorStatus: 'Invalid RegistrationId' },
    ],
    isSuccessful: false,
  })
  assert.equal((await call('GET', '/enrollments/fresh')).status, 200)
})

test('update replaces without asking for the etag and keeps keys; what is not there reads 404201', async () => {
  const keys = async () => (await call('POST', '/enrollments/ten-2/attestationmechanism')).text
  const before = await keys()
  const answer = await bulk('update', [item('ten-2', { deviceId: 'two' }), item('not-there')])
  assert.deepEqual(answer.json()['errors'], [
    { registrationId: 'not-there', errorCode: 404201, errorStatus: 'Enrollment not found.' },
  ])
  assert.equal((await call('GET', '/enrollments/ten-2')).json()['deviceId'], 'two')
  assert.equal(await keys(), before)
})

for (const mode of ['updateIfMatchETag', 'updateIfMatchEtag']) {
  test(`${mode} compares the etag of each item`, async () => {
    const { etag } = (await call('GET', '/enrollments/ten-3')).json()
    const answer = await bulk(mode, [
      item('ten-3', { etag, deviceId: mode }),
      item('ten-4', { etag }),
      item('ten-5'),
      item('not-there', { etag }),
    ])
    assert.deepEqual(
      (answer.json()['errors'] as { registrationId: string; errorCode: number }[]).map((error) => [
        error.registrationId,
        error.errorCode,
      ]),
      [
        ['ten-4', 412201],
        ['ten-5', 400004],
        ['not-there', 404201],
      ],
    )
    assert.equal((await call('GET', '/enrollments/ten-3')).json()['deviceId'], mode)
  })
}

test('delete needs IDs only, and ignores etags', async () => {
  const answer = await bulk('Delete', [{ registrationId: 'TEN-6', etag: 'stale' }, { registrationId: 'ten-7' }])
  assert.deepEqual(answer.json(), done)
  const again = await bulk('delete', [{ registrationId: 'ten-6' }])
  assert.deepEqual(again.json()['errors'], [
    { registrationId: 'ten-6', errorCode: 404201, errorStatus: 'Enrollment not found.' },
  ])
})

const refused: Readonly<Record<string, readonly [mode: unknown, items: unknown, member: string]>> = {
  'no mode': [undefined, [item('a')], 'mode'],
  'an unknown mode': ['upsert', [item('a')], 'mode'],
  'no items': ['create', [], 'enrollments'],
  'items that are no array': ['create', item('a'), 'enrollments'],
  'eleven items': ['create', Array.from({ length: 11 }, (_, n) => item(`e-${n}`)), 'enrollments'],
  'one ID twice': ['create', [item('twice'), item('TWICE')], 'enrollments'],
  'an item that is no object': ['create', ['a'], 'enrollments[0]'],
  'an item without ID': ['create', [item('a'), { attestation: {} }], 'enrollments[1].registrationId'],
}

for (const [name, [mode, items, member]] of Object.entries(refused)) {
  test(`a call with ${name} is refused as a whole`, async () => {
    const answer = await bulk(mode, items)
    assert.deepEqual([answer.status, answer.json()['errorCode'], answer.json()['info']], [400, 400004, { member }])
    assert.equal((await call('GET', '/enrollments/a')).status, 404)
  })
}

test('groups are created and deleted in bulk, and their errors carry both names of the ID', async () => {
  const group = (enrollmentGroupId: string) => ({ enrollmentGroupId, attestation: { type: 'symmetricKey' } })
  const ask = (mode: string, enrollmentGroups: unknown) => call('POST', '/enrollmentGroups', { mode, enrollmentGroups })
  assert.deepEqual((await ask('create', [group('g-1'), group('g-2')])).json(), done)
  assert.deepEqual((await ask('create', [group('g-1')])).json()['errors'], [
    {
      registrationId: 'g-1',
      enrollmentGroupId: 'g-1',
      errorCode: 409202,
      errorStatus: 'EnrollmentGroup already exists.',
    },
  ])
  assert.deepEqual((await ask('delete', [group('g-1'), group('g-2')])).json(), done)
})

test('none of this was a fault of ours', () => assert.deepEqual(endpoint.faults, []))
