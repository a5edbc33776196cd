import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { test } from 'node:test'
import { ask, list, member, object, open } from '../../../test/fixtures/bundled-hub.ts'
import type { JsonObject } from '../../base/json.ts'
import type { BundledHub } from '../bundled-hub.ts'

const update = { type: 'scheduleUpdateTwin', updateTwin: { etag: '*', tags: { floor: 2 } } }
const method = { type: 'scheduleDeviceMethod', cloudToDeviceMethod: { methodName: 'reboot' } }
const later = new Date(Date.now() + 3_600_000).toISOString()

test('a twin job changes the devices that its condition holds for, however many pages, and says how many', async () => {
  await using hub = await open()
  for (let n = 0; n < 45; n++) await ask(hub, 'PUT', `/devices/d${n}`, {})
  await ask(hub, 'PUT', '/devices/other', {})
  const scheduled = await schedule(hub, 'j', { ...update, queryCondition: "startswith(deviceId, 'd')" })
  assert.equal(scheduled['status'], 'queued')
  const job = await ended(hub, 'j')
  assert.equal(job['status'], 'completed')
  assert.equal(member(job, 'deviceJobStatistics', 'succeededCount'), 45)
  assert.equal(member(object(await ask(hub, 'GET', '/twins/d44')), 'tags', 'floor'), 2)
  assert.deepEqual(object(await ask(hub, 'GET', '/twins/other'))['tags'], {})
})

test('a method job counts the devices that are not there as failed, and is completed all the same', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/d', {})
  await schedule(hub, 'j', { ...method, queryCondition: "deviceId IN ['d', 'nobody']" })
  const job = await ended(hub, 'j')
  assert.equal(job['status'], 'completed')
  assert.equal(member(job, 'deviceJobStatistics', 'failedCount'), 1)
})

test('a job that is cancelled before its time never runs, and jobs are found by type and status, page by page', async () => {
  await using hub = await open()
  await ask(hub, 'PUT', '/devices/d', {})
  for (const id of ['a', 'b', 'c']) await schedule(hub, id, { ...update, startTime: later })
  await schedule(hub, 'm', { ...method, startTime: later })
  assert.equal(object(await ask(hub, 'POST', '/jobs/v2/b/cancel'))['status'], 'cancelled')
  assert.equal(object(await ask(hub, 'POST', '/jobs/v2/b/cancel'))['status'], 'cancelled')
  const query = { jobType: 'scheduleUpdateTwin', jobStatus: 'queued' }
  const first = await ask(hub, 'GET', '/jobs/v2/query', undefined, { query, headers: { 'x-ms-max-item-count': '1' } })
  const continuation = String(first.headers?.['x-ms-continuation'])
  const headers = { 'x-ms-continuation': continuation }
  const second = await ask(hub, 'GET', '/jobs/v2/query', undefined, { query, headers })
  assert.deepEqual(
    [...list(first), ...list(second)].map((job) => member(job, 'jobId')),
    ['a', 'c'],
  )
  assert.equal(second.headers?.['x-ms-continuation'], undefined)
})

test('a queued job survives the end of the hub, and one that ran then has failed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'jobs-'))
  {
    await using hub = await open({ directory })
    await schedule(hub, 'late', { ...update, startTime: new Date(Date.now() + 600).toISOString() })
    await schedule(hub, 'cut', { ...update, startTime: later })
  }
  const database = new DatabaseSync(join(directory, 'hub.db'))
  database.exec("update job set status = 'running' where job = 'cut'")
  database.close()
  {
    await using hub = await open({ directory })
    assert.equal((await ended(hub, 'late'))['status'], 'completed')
    const { status, failureReason } = await ended(hub, 'cut')
    assert.deepEqual([status, failureReason], ['failed', 'the hub was ended while the job ran'])
  }
  await rm(directory, { recursive: true })
})

test('what cannot be understood is refused when it is scheduled, and so are a second job of a name and one that is not there', async () => {
  await using hub = await open()
  const put = async (body: JsonObject) => (await ask(hub, 'PUT', '/jobs/v2/j', body)).status
  for (const body of [
    {},
    { type: 'export' },
    { type: 'scheduleUpdateTwin' },
    { ...update, queryCondition: 'deviceId =' },
    { ...update, queryCondition: 7 },
    { ...update, startTime: 'soon' },
    { ...update, maxExecutionTimeInSeconds: 0 },
    { ...update, updateTwin: { tags: 'x' } },
    { ...method, cloudToDeviceMethod: { methodName: 'a/b' } },
  ])
    assert.equal(await put(body), 400, JSON.stringify(body))
  assert.equal(await put({ ...update, startTime: later }), 200)
  assert.equal(await put({ ...update, startTime: later }), 409)
  assert.equal((await ask(hub, 'GET', '/jobs/v2/none')).status, 404)
  assert.equal((await ask(hub, 'POST', '/jobs/v2/none/cancel')).status, 404)
  assert.equal((await ask(hub, 'GET', '/jobs/v2/j', undefined, { policy: 'device' })).status, 401)
})

async function schedule(hub: BundledHub, id: string, body: JsonObject): Promise<JsonObject> {
  const answer = await ask(hub, 'PUT', `/jobs/v2/${id}`, body)
  assert.equal(answer.status, 200, String(answer.body))
  return object(answer)
}

async function ended(hub: BundledHub, id: string): Promise<JsonObject> {
  for (let tried = 0; tried < 100; tried++) {
    const job = object(await ask(hub, 'GET', `/jobs/v2/${id}`))
    if (job['endTime'] !== undefined) return job
    await wait(50)
  }
  throw new Error(`job ${id} has not ended`)
}
