import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openNodeRunner } from '../../sdk/runner.ts'
import type { HttpsAnswer } from '../fixtures/https.ts'
import { derivedKey, sasToken } from '../fixtures/sas.ts'
import { openControlPlane, type Tenant } from '../management/control-plane.ts'

const plane = await openControlPlane('127.90.4')
const { service } = plane
after(() => plane[Symbol.asyncDispose]())

const groupKey = Buffer.alloc(64, 5).toString('base64')
const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: groupKey, secondaryKey: groupKey } }

/** An instance with a group that vouches for everybody, and then with these limits. */
async function tenant(name: string, limits: object): Promise<Tenant> {
  const iotHubs = service.hubConnectionStrings.map((connectionString) => ({ connectionString }))
  const made = await plane.createInstance(name, { iotHubs })
  await plane.operate(made, 'PUT', '/enrollmentGroups/all', { body: { enrollmentGroupId: 'all', attestation } })
  await plane.call('PUT', plane.path(name, '/limits'), { body: limits })
  return made
}

function ask({ idScope }: Tenant, id: string, method: string, rest: string): Promise<HttpsAnswer> {
  const resource = `${idScope}/registrations/${id}`
  const headers = { authorization: sasToken(resource, derivedKey(groupKey, id)) }
  const body = method === 'PUT' ? { body: {} } : {}
  return service.https({ method, path: `/${resource}/${rest}?api-version=2021-06-01`, headers, ...body })
}

const register = (at: Tenant, id: string) => ask(at, id, 'PUT', 'register')
const poll = (at: Tenant, id: string, operation: unknown) => ask(at, id, 'GET', `operations/${String(operation)}`)
const statusOf = (answer: HttpsAnswer) => answer.json()['status'] ?? answer.json()['errorCode']

/** So many devices at once. */
function crowd(at: Tenant, count: number): Promise<HttpsAnswer[]> {
  return Promise.all(Array.from({ length: count }, (_, device) => register(at, `crowd-${device}`)))
}

test('a herd is let in as far as the limit goes, queues in its order, and only what is beyond that is refused', async () => {
  const at = await tenant('herd', { registrationsPerMinute: 60 })
  const began = performance.now()
  const answers = await crowd(at, 124)
  // One a second comes to the sixty while they ask; those whose turn is within the short wait are assigned too.
  const more = Math.ceil((performance.now() - began) / 1000) + 2
  const statuses = answers.map(statusOf)
  const assigned = statuses.filter((status) => status === 'assigned')
  assert.ok(assigned.length >= 60 && assigned.length <= 60 + more, `${assigned.length} of 60 and ${more} are let in`)
  const waits = answers
    .filter((answer) => statusOf(answer) === 'assigning')
    .map(({ headers }) => Number(headers['retry-after']))
  assert.ok(waits.length >= 60 - more && waits.length <= 60 + more, `${waits.length} queue`)
  assert.ok(Math.min(...waits) <= 3 && Math.max(...waits) >= 58)
  assert.ok(new Set(waits).size >= waits.length - 3 - more, 'hardly two are told the same second')
  const refused = answers.filter(({ status }) => status === 429)
  assert.ok(refused.length > 0)
  for (const answer of refused) {
    assert.equal(statusOf(answer), 429001)
    assert.ok(Number(answer.headers['retry-after']) >= 2 && Number(answer.headers['retry-after']) <= 60)
  }
})

test('a tenant that is flooded takes nothing from another: its devices are served at once, and its operators too', async () => {
  const loud = await tenant('loud', { registrationsPerMinute: 2, serviceOperationsPerMinute: 3 })
  const quiet = await tenant('quiet', { registrationsPerMinute: 2, serviceOperationsPerMinute: 5 })
  const flood = (await crowd(loud, 20)).map(statusOf)
  assert.ok(flood.includes(429001), 'the flooded tenant is beyond its queue')
  for (const id of ['calm-1', 'calm-2']) assert.equal(statusOf(await register(quiet, id)), 'assigned')
  for (const expect of [200, 200, 200, 429]) await plane.operate(loud, 'GET', '/enrollmentGroups/all', { expect })
  await plane.operate(quiet, 'GET', '/enrollmentGroups/all', { expect: 200 })
})

test('whoever queues has its turn, also after a stop that does not wait for it', async () => {
  const at = await tenant('turns', { registrationsPerMinute: 1 })
  assert.equal(statusOf(await register(at, 'first')), 'assigned')
  const { operationId, status } = (await register(at, 'second')).json()
  assert.equal(status, 'assigning')
  const began = performance.now()
  await service.stop()
  assert.ok(performance.now() - began < 8000, 'the stop did not wait for a turn that is a minute off')
  await service.restart()
  // It has its turn at the start, with whoever else was left waiting.
  let polled = await poll(at, 'second', operationId)
  for (let polls = 0; statusOf(polled) === 'assigning' && polls < 50; polls++)
    polled = await poll(at, 'second', operationId)
  assert.equal(statusOf(polled), 'assigned', polled.text)
})

test('devices of the Node SDK that queue are provisioned, over HTTPS and MQTT', async () => {
  const at = await tenant('sdk', { registrationsPerMinute: 60 })
  await crowd(at, 60)
  await using runner = await openNodeRunner({ caFile: service.caFile })
  const jobs = (['http', 'mqtt', 'http', 'mqtt'] as const).map((transport, index) => {
    const registrationId = `sdk-${index}`
    const symmetricKey = derivedKey(groupKey, registrationId)
    return runner.run({
      host: service.deviceHost,
      idScope: at.idScope,
      registrationId,
      transport,
      attestation: { symmetricKey },
    })
  })
  for (const result of await Promise.all(jobs)) assert.equal(result.status, 'assigned', JSON.stringify(result))
})

test('the Node SDK over MQTT comes back after a 429 by itself', async () => {
  const at = await tenant('patient', { registrationsPerMinute: 1 })
  await crowd(at, 2)
  await using runner = await openNodeRunner({ caFile: service.caFile })
  const symmetricKey = derivedKey(groupKey, 'patient')
  const running = runner.run({
    host: service.deviceHost,
    idScope: at.idScope,
    registrationId: 'patient',
    transport: 'mqtt',
    attestation: { symmetricKey },
  })
  // Its first request is refused; then the limit is raised, and what it does by itself succeeds.
  const refusals = async () =>
    (await plane.call('GET', plane.path('patient', '/decisions?registrationId=patient'))).json()['value']
  while (((await refusals()) as unknown[]).length === 0) assert.ok(service.running())
  await plane.call('PUT', plane.path('patient', '/limits'), { body: { registrationsPerMinute: 1_000_000 } })
  const result = await running
  assert.equal(result.status, 'assigned', JSON.stringify(result))
})

test('a device that polls too often is told to wait longer, then refused', async () => {
  const at = await tenant('polls', { pollsPerTenSeconds: 2, registrationsPerMinute: 1 })
  await register(at, 'filler')
  const { operationId } = (await register(at, 'impatient')).json()
  const polls: HttpsAnswer[] = []
  for (let count = 0; count < 6; count++) polls.push(await poll(at, 'impatient', operationId))
  assert.deepEqual(
    polls.map(({ status }) => status),
    [202, 202, 202, 202, 429, 429],
  )
  assert.equal(polls[4]?.json()['errorCode'], 429001)
})

test('service operations beyond the limit are refused with a time to come back', async () => {
  const at = await tenant('operators', { serviceOperationsPerMinute: 2 })
  for (const expect of [200, 200]) await plane.operate(at, 'GET', '/enrollmentGroups/all', { expect })
  const refused = await plane.operate(at, 'GET', '/enrollmentGroups/all', { expect: 429 })
  assert.equal(refused.json()['errorCode'], 429001)
  assert.ok(Number(refused.headers['retry-after']) >= 2)
  await service.operate('GET', '/enrollments/absent', undefined, { expect: 404 })
})

test('an instance has no more enrollments than its limit, and says what its limits are', async () => {
  const at = await tenant('small', { preset: 'azure', individualEnrollments: 1, symmetricKeyGroups: 1 })
  const body = { attestation: { type: 'symmetricKey' } }
  await plane.operate(at, 'PUT', '/enrollments/one', { body: { registrationId: 'one', ...body } })
  const second = { body: { registrationId: 'two', ...body }, expect: 403 }
  assert.equal((await plane.operate(at, 'PUT', '/enrollments/two', second)).json()['errorCode'], 403201)
  const { limits } = (await plane.call('GET', plane.path('small', '/limits'))).json()
  const { registrationsPerMinute, individualEnrollments, linkedHubs } = limits as Record<string, number>
  assert.deepEqual([registrationsPerMinute, individualEnrollments, linkedHubs], [1000, 1, 50])
  await plane.call('PUT', plane.path('small', '/limits'), { body: { registrationsPerHour: 1 }, expect: 400 })
})
