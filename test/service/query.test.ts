import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ordinaryRules } from '../../src/enrollment/enrollment-rules.ts'
import type { HttpsAnswer } from '../fixtures/https.ts'
import { openEndpoint, registrationOf } from './endpoint.ts'
import { asDeviceId, asIdScope } from '../fixtures/identifiers.ts'

const endpoint = await openEndpoint('127.50.6.1')
after(() => endpoint[Symbol.asyncDispose]())
const strict = await openEndpoint('127.50.6.2', { rules: { ...ordinaryRules, refuseUnknownQueries: true } })
after(() => strict[Symbol.asyncDispose]())
const { call } = endpoint

type Item = Readonly<Record<string, unknown>>

const ids = Array.from({ length: 25 }, (_, n) => `Unit-${String(n).padStart(2, '0')}`)

before(async () => {
  await Promise.all(
    ids.map((registrationId, n) =>
      call('PUT', `/enrollments/${registrationId}`, {
        registrationId,
        attestation: { type: 'symmetricKey' },
        provisioningStatus: n % 5 === 0 ? 'disabled' : 'enabled',
        allocationPolicy: n % 2 === 0 ? 'static' : undefined,
        initialTwin: { tags: { line: n, 'odd-key': n % 2 === 1 } },
      }).then((answer) => assert.equal(answer.status, 200, answer.text)),
    ),
  )
  for (const enrollmentGroupId of ['line-1', 'line-2']) {
    await call('PUT', `/enrollmentGroups/${enrollmentGroupId}`, {
      enrollmentGroupId,
      attestation: { type: 'symmetricKey' },
    })
  }
  await endpoint.store.transact((write) => {
    for (const n of [1, 2, 3])
      write.registrations.put(asIdScope(endpoint.idScope), registrationOf(asDeviceId(`of-1-${n}`), 'line-1'))
    write.registrations.put(asIdScope(endpoint.idScope), registrationOf(asDeviceId('of-none')))
    write.registrations.put(asIdScope(endpoint.idScope), registrationOf(asDeviceId('of-deleted'), 'deleted'))
  })
})

const ask = (query: string | undefined, headers = {}, path = '/enrollments/query') =>
  call('POST', path, query === undefined ? undefined : { query }, headers)

function itemsOf(answer: HttpsAnswer): Item[] {
  assert.equal(answer.status, 200, answer.text)
  return JSON.parse(answer.text) as Item[]
}

const found = async (query: string) => itemsOf(await ask(query)).map(({ registrationId }) => registrationId)

for (const query of [undefined, '', '  ', 'SELECT *', 'select * from enrollmentgroups', 'SELECT\n*\tFROM Devices']) {
  test(`${JSON.stringify(query)} answers with everything, without secrets and registration states`, async () => {
    const answer = await ask(query)
    const items = itemsOf(answer)
    assert.deepEqual(
      items.map(({ registrationId }) => registrationId),
      ids,
    )
    assert.deepEqual(items[0]?.['attestation'], { type: 'symmetricKey' })
    assert.ok(!('registrationState' in items[0]))
    assert.equal(answer.headers['x-ms-item-type'], 'Enrollment')
    assert.equal(answer.headers['x-content-type-options'], 'nosniff')
    assert.equal(answer.headers['x-ms-continuation'], undefined)
  })
}

test('a body without a query asks for everything; one that is no query body is refused', async () => {
  for (const body of [{}, { query: null }]) {
    assert.equal(itemsOf(await call('POST', '/enrollments/query', body)).length, 25)
  }
  for (const body of [[], '"SELECT *"', { query: 1 }]) {
    const answer = await call('POST', '/enrollments/query', body)
    assert.deepEqual(
      [answer.status, answer.json()['errorCode'], answer.json()['message']],
      [400, 400000, 'Bad Request'],
    )
  }
})

async function pages(query: string, size: number, path?: string): Promise<Item[][]> {
  const all: Item[][] = []
  let continuation: string | undefined
  do {
    const headers = { 'x-ms-max-item-count': String(size), ...(continuation && { 'x-ms-continuation': continuation }) }
    const answer = await ask(query, headers, path)
    all.push(itemsOf(answer))
    const next = answer.headers['x-ms-continuation']
    assert.notEqual(next, '')
    continuation = next === undefined ? undefined : String(next)
  } while (continuation !== undefined)
  return all
}

test('three pages hold every record once, and the last has no continuation', async () => {
  const all = await pages('SELECT *', 10)
  assert.deepEqual(
    all.map(({ length }) => length),
    [10, 10, 5],
  )
  assert.deepEqual(
    all.flat().map(({ registrationId }) => registrationId),
    ids,
  )
  assert.deepEqual((await pages('SELECT *', 25)).length, 1)
  assert.deepEqual((await pages('SELECT *', 1)).length, 25)
})

test('pages of a condition hold every match once', async () => {
  const all = await pages('SELECT registrationId WHERE initialTwin.tags.line >= 13', 5)
  assert.deepEqual(
    all.map(({ length }) => length),
    [5, 5, 2],
  )
  assert.deepEqual(
    all.flat().map(({ registrationId }) => registrationId),
    ids.slice(13),
  )
})

test('records that come and go between pages neither repeat nor hide others', async () => {
  const body = (registrationId: string) => ({ registrationId, attestation: { type: 'symmetricKey' } })
  const first = await ask('SELECT *', { 'x-ms-max-item-count': '10' })
  await call('PUT', '/enrollments/Unit-00a', body('Unit-00a'))
  await call('DELETE', '/enrollments/unit-09')
  try {
    const continuation = String(first.headers['x-ms-continuation'])
    const rest = itemsOf(await ask('SELECT *', { 'x-ms-continuation': continuation }))
    assert.deepEqual(
      rest.map(({ registrationId }) => registrationId),
      ids.slice(10),
    )
  } finally {
    await call('DELETE', '/enrollments/Unit-00a')
    const restored = { ...body('Unit-09'), initialTwin: { tags: { line: 9, 'odd-key': true } } }
    await call('PUT', '/enrollments/Unit-09', restored)
  }
})

test('a continuation is good for its own query, collection and service only, and cannot be made up', async () => {
  const answer = await ask('SELECT *', { 'x-ms-max-item-count': '10' })
  const good = String(answer.headers['x-ms-continuation'])
  const [payload, signature] = good.split('.') as [string, string]
  const changed = Buffer.from(payload, 'base64url').toString().replace('unit-09', 'unit-19')
  const bad = [
    'x',
    '.',
    `${payload}.`,
    `${Buffer.from(changed).toString('base64url')}.${signature}`,
    `${good}x`,
    `${payload}.AAAA`,
  ]
  for (const continuation of [...bad, 'a'.repeat(10_000)]) {
    const refused = await ask('SELECT *', { 'x-ms-continuation': continuation })
    assert.deepEqual([refused.status, refused.json()['errorCode']], [400, 400000], continuation.slice(0, 50))
  }
  assert.equal((await ask('select *', { 'x-ms-continuation': good })).status, 400)
  assert.equal((await ask('SELECT *', { 'x-ms-continuation': good }, '/enrollmentGroups/query')).status, 400)
  assert.equal((await ask('SELECT *', { 'x-ms-continuation': good })).status, 200)
})

test('the page size is a positive integer; beyond 1000 it is 1000', async () => {
  for (const size of ['0', '-1', '1.5', 'x', '']) {
    assert.equal((await ask('SELECT *', { 'x-ms-max-item-count': size })).status, 400, size)
  }
  assert.equal(itemsOf(await ask('SELECT *', { 'x-ms-max-item-count': '100000' })).length, 25)
})

const conditions: Readonly<Record<string, readonly number[]>> = {
  "registrationId = 'Unit-03'": [3],
  "provisioningStatus <> 'enabled'": [0, 5, 10, 15, 20],
  "allocationPolicy = 'static' AND initialTwin.tags.line < 4": [0, 2],
  "NOT (initialTwin.tags.line > 2) OR registrationId IN ['Unit-20', 'Unit-21']": [0, 1, 2, 20, 21],
  'initialTwin.tags.line NOT IN [0, 1] AND initialTwin.tags.line <= 3': [2, 3],
  "IS_DEFINED(allocationPolicy) AND STARTSWITH(registrationId, 'Unit-0')": [0, 2, 4, 6, 8],
  "allocationPolicy = null AND initialTwin.tags['line'] < 4": [1, 3],
  "initialTwin.tags['odd-key'] = true AND initialTwin.tags.line >= 20": [21, 23],
  "attestation.type = 'x509'": [],
  'attestation.x509.clientCertificates.primary != null OR attestation.x509.signingCertificates.primary != null': [],
  "attestation.x509.caReferences.primary = 'plant'": [],
  'attestation.tpm.endorsementKey != null OR attestation.tpm.storageRootKey != null': [],
  "enrollments.registrationId = 'Unit-03'": [3],
  "RegistrationID = 'Unit-03' AND attestation.TYPE = 'symmetricKey';": [3],
}

for (const [condition, expected] of Object.entries(conditions)) {
  test(`WHERE ${condition}`, async () => {
    assert.deepEqual(
      await found(`SELECT * FROM enrollments WHERE ${condition}`),
      expected.map((n) => ids[n]),
    )
  })
}

test('columns, counts and groups answer with item type unknown', async () => {
  const columns = await ask("SELECT registrationId AS id, initialTwin.tags.line WHERE registrationId = 'Unit-07'")
  assert.deepEqual(itemsOf(columns), [{ id: 'Unit-07', line: 7 }])
  assert.equal(columns.headers['x-ms-item-type'], 'unknown')
  assert.deepEqual(itemsOf(await ask('SELECT COUNT()')), [{ $1: 25 }])
  assert.deepEqual(itemsOf(await ask("SELECT COUNT() AS n WHERE deviceId = 'none'")), [{ n: 0 }])
  const grouped = await ask('SELECT allocationPolicy, COUNT() AS n GROUP BY allocationPolicy')
  const rows = itemsOf(grouped).sort((a, b) => Number(a['n']) - Number(b['n']))
  assert.deepEqual(rows, [{ n: 12 }, { allocationPolicy: 'static', n: 13 }])
})

const malformed = [
  'SELECT',
  'SELECT * FROM',
  'SELECT * FROM nothing',
  'SELECT * WHERE',
  'DELETE *',
  'SELECT *, a',
  'SELECT * x',
  ';',
  'SELECT a, a',
  'SELECT * GROUP BY a',
  'SELECT a, COUNT()',
  'SELECT COUNT( a',
  'SELECT * WHERE a',
  'SELECT * WHERE a ==',
  "SELECT * WHERE a = 'open",
  'SELECT * WHERE a IN []',
  'SELECT * WHERE (a = 1',
  'SELECT * WHERE OTHER(a)',
  'SELECT * WHERE a = b',
  `SELECT * WHERE ${'('.repeat(40)}a = 1${')'.repeat(40)}`,
  `SELECT ${'a,'.repeat(3000)}a`,
  'SELECT a[1]',
  "SELECT * WHERE a LIKE 'x'",
]

// A path that leads nowhere never gives an empty list: the real service lists everything, whatever the text says.
const leadingNowhere = [
  "SELECT * WHERE constructor != 'x' OR __proto__ = 'x'",
  "SELECT * WHERE line.name = 'x'",
  "SELECT * WHERE attestation.type.name = 'x'",
  "SELECT * FROM enrollments e WHERE f.registrationId = 'Unit-03'",
  'SELECT hostName',
]

for (const query of [...malformed, ...leadingNowhere]) {
  test(`${query.slice(0, 40)} is not understood: everything is listed and that is said, or it is refused`, async () => {
    const told = endpoint.notices.length
    const answer = await ask(query)
    assert.equal(itemsOf(answer).length, 25)
    assert.match(String(answer.headers['x-hubward-query']), /^not understood, everything is listed: [ -~]+$/)
    assert.equal(answer.headers['x-ms-item-type'], 'Enrollment')
    assert.match(endpoint.notices.slice(told).join(), /a query was not understood/)

    const refused = await strict.call('POST', '/enrollments/query', { query })
    assert.deepEqual([refused.status, refused.json()['errorCode']], [400, 400000])
    assert.match(String(refused.json()['message']), /^Bad Request: the query is not understood: ./)
  })
}

test('what tools send is understood: a star, a semicolon, an alias, and the query object as Python shows it', async () => {
  for (const query of [
    '*',
    ' * ',
    'SELECT *;',
    'select * from Enrollments e',
    `{'additional_properties': {}, 'query': 'SELECT *'}`,
    `{'additional_properties': {}, "query": "SELECT * FROM enrollments"}`,
  ]) {
    const answer = await ask(query)
    assert.equal(itemsOf(answer).length, 25, query)
    assert.equal(answer.headers['x-hubward-query'], undefined, query)
  }
  const one = ['Unit-03']
  assert.deepEqual(await found("SELECT * FROM enrollments AS e WHERE e.registrationId = 'Unit-03'"), one)
  const wrapped = `{'additional_properties': {}, 'query': "SELECT * WHERE registrationId = 'Unit-03'"}`
  assert.deepEqual(await found(wrapped), one)
  const path = '/registrations/line-1/query'
  const ofGroup = itemsOf(await ask("SELECT * FROM registrations WHERE registrations.deviceId = 'of-1-2'", {}, path))
  assert.deepEqual(
    ofGroup.map(({ registrationId }) => registrationId),
    ['of-1-2'],
  )
})

test('groups are asked like enrollments', async () => {
  const answer = await ask('SELECT *', {}, '/enrollmentgroups/query/')
  assert.deepEqual(
    itemsOf(answer).map(({ enrollmentGroupId }) => enrollmentGroupId),
    ['line-1', 'line-2'],
  )
  assert.equal(answer.headers['x-ms-item-type'], 'EnrollmentGroup')
})

test('the registrations of a group are those that came through it, asked without a body, in pages', async () => {
  const answer = await ask(undefined, {}, '/registrations/LINE-1/query')
  assert.deepEqual(
    itemsOf(answer).map(({ registrationId }) => registrationId),
    ['of-1-1', 'of-1-2', 'of-1-3'],
  )
  assert.equal(answer.headers['x-ms-item-type'], 'DeviceRegistration')
  const { status, substatus, assignedHub, deviceId } = itemsOf(answer)[0]!
  assert.deepEqual(
    { status, substatus, assignedHub, deviceId },
    { status: 'assigned', substatus: 'initialAssignment', assignedHub: 'hub-a.example.net', deviceId: 'of-1-1' },
  )
  assert.deepEqual((await pages("SELECT * WHERE status = 'assigned'", 1, '/registrations/line-1/query')).length, 3)
  assert.deepEqual(itemsOf(await ask('', {}, '/registrations/line-2/query')), [])
})

test('a deleted group can still be asked for its devices; one that never was reads 404202', async () => {
  assert.equal(itemsOf(await ask('SELECT *', {}, '/registrations/deleted/query')).length, 1)
  const answer = await ask('SELECT *', {}, '/registrations/never/query')
  assert.deepEqual([answer.status, answer.json()['errorCode']], [404, 404202])
})

test('none of this was a fault of ours', () => assert.deepEqual(endpoint.faults, []))
