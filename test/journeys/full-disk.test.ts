import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { newKey } from '../fixtures/enrollments.ts'
import { askHttps, type HttpsAnswer } from '../fixtures/https.ts'
import { derivedKey, sasToken } from '../fixtures/sas.ts'
import { connectionMembers } from '../fixtures/service.ts'
import { openControlPlane, type ControlPlane } from '../management/control-plane.ts'
import { ask as askAmqp, attach, openAmqp, plain, register as registerOverAmqp } from '../wire/amqp-client.ts'
import { ask as askMqtt, deviceWithKey, openSession, registerTopic } from '../wire/device.ts'

const groupKey = newKey()
const enrolled = new Map<string, unknown>()
let mount: string
let plane: ControlPlane

// A real file system of a few megabytes, which takes root to mount.
before(async () => {
  mount = mkdtempSync(join(tmpdir(), 'hubward-small-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'none', mount])
  process.env['TMPDIR'] = mount
  plane = await openControlPlane('127.61.3', ['--log', 'json'])
  const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: groupKey, secondaryKey: newKey() } }
  await plane.service.operate('PUT', '/enrollmentGroups/fleet', { enrollmentGroupId: 'fleet', attestation })
})

after(async () => {
  await plane?.[Symbol.asyncDispose]()
  execFileSync('umount', ['-l', mount])
  rmSync(mount, { recursive: true })
})

const timeout = 120_000

test(
  'a full disk refuses what must be written, in words that every client knows, and nothing else',
  { timeout },
  async () => {
    const before = await register('before')
    assert.equal(before.json()['status'], 'assigned', before.text)
    assert.match(await why('before'), /assigned/)
    await fillUntilRefused()

    assertRefused(await put('another'), '503001')
    assertRefused(await register('new-https'), '503001')
    const { service } = plane
    const overMqtt = device('new-mqtt')
    await using session = await openSession(service, overMqtt)
    const reply = await askMqtt(session, registerTopic('1'))
    assert.match(reply.topic, /^\$dps\/registrations\/res\/503\/\?\$rid=1&retry-after=\d+$/)
    const overAmqp = device('new-amqp')
    const connection = openAmqp(service, plain(overAmqp))
    const links = await attach(connection, overAmqp.resource)
    const outcome = await askAmqp(links, registerOverAmqp)
    connection.close()
    assert.match(JSON.stringify(outcome), /503001/)
    const tags = { tags: { floor: '2' } }
    const managed = await plane.call('PATCH', plane.path('hubward'), { body: tags, expect: 503 })
    assert.match(managed.text, /StoreUnavailable/)
    assert.ok(managed.headers['retry-after'])
    const hub = await service.askHub(0, 'PUT', '/devices/new', { deviceId: 'new' })
    assertRefused(hub, undefined)
    assert.equal(hub.headers['iothub-errorcode'], 'ServiceUnavailable')

    const ready = await plane.call('GET', '/ready', { token: null, expect: 503 })
    assert.match(ready.text, /cannot be written/)
    await plane.call('GET', '/health', { token: null })
    assert.ok(service.running())
    await service.logged(/hubward\.db cannot be written: .*ENOSPC/)
    assert.doesNotMatch(service.log(), /"fault":/, 'it is told once, and is no fault')
  },
)

test('what need not be written is answered while the disk is full', { timeout }, async () => {
  const { service } = plane
  const assignedHub = String((await lookup('before')).json()['assignedHub'])
  await service.operate('GET', '/enrollmentGroups/fleet')
  await service.operate('GET', '/registrations/before')
  await service.operate('POST', '/enrollments/query', { query: 'SELECT * FROM enrollments' })
  await plane.call('GET', plane.path('hubward'))
  assert.match(await why('before'), /assigned/)
  await plane.call('GET', '/metrics')
  const at = service.hubConnectionStrings.findIndex((text) => connectionMembers(text)['HostName'] === assignedHub)
  assert.equal((await service.askHub(at, 'GET', '/devices/before')).status, 200)
  assert.equal((await service.askHub(at, 'GET', '/twins/before')).status, 200)
})

test(
  'a process that is asked to stop while the disk is full ends, and the next start says why it cannot',
  { timeout },
  async () => {
    const { service } = plane
    assert.equal(await service.stop(), 0)
    const filler = openSync(join(mount, 'filler'), 'a')
    fill(filler)
    closeSync(filler)
    await assert.rejects(service.restart(), /(?:cannot be written|ENOSPC)/)
  },
)

test('with room again it goes on where it was, without a restart', { timeout }, async () => {
  const { service } = plane
  resize('32m')
  await service.restart()
  await fillUntilRefused()
  assertRefused(await register('refused'), '503001')
  resize('128m')
  for (let second = 0; ; second++) {
    const { status } = await askHttps(plane.host, plane.port, service.ca, { method: 'GET', path: '/ready' })
    if (status === 200) break
    assert.ok(second < 30, 'it is ready half a minute after there was room')
    await wait(1000)
  }
  assert.equal((await put('after')).status, 200)
  assert.equal((await register('new-https')).json()['status'], 'assigned')
  await service.logged(/hubward\.db is written again/)
  assert.match(await why('refused'), /StoreUnavailable/, 'what was refused meanwhile has its record')
  assert.equal(await service.stop(), 0)
  await service.restart()
  for (const [registrationId, etag] of enrolled) {
    const found = await service.operate('GET', `/enrollments/${registrationId}`)
    assert.equal(found.json()['etag'], etag, `${registrationId} was acknowledged`)
  }
  assert.equal((await service.operate('GET', '/registrations/before')).json()['status'], 'assigned')
})

function resize(size: string): void {
  execFileSync('mount', ['-o', `remount,size=${size}`, mount])
}

/** Nothing is left on the disk, nor in the files that SQLite writes again. */
async function fillUntilRefused(): Promise<void> {
  const filler = openSync(join(mount, 'filler'), 'a')
  for (let turn = 0; turn < 500; turn++) {
    fill(filler)
    const answer = await put(`enrolled-${enrolled.size}`)
    if (answer.status === 503) {
      closeSync(filler)
      return
    }
  }
  assert.fail('the disk was never full')
}

function fill(file: number): void {
  for (const size of [1 << 20, 4096]) {
    const block = Buffer.alloc(size)
    try {
      for (;;) writeSync(file, block)
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
    }
  }
}

async function put(registrationId: string): Promise<HttpsAnswer> {
  const { service } = plane
  const {
    HostName = '',
    SharedAccessKeyName,
    SharedAccessKey = '',
  } = connectionMembers(service.serviceConnectionString)
  const authorization = sasToken(HostName, SharedAccessKey, { keyName: SharedAccessKeyName })
  const path = `/enrollments/${registrationId}?api-version=2021-10-01`
  const initialTwin = { tags: { text: 'x'.repeat(1500) } }
  const body = { registrationId, attestation: { type: 'symmetricKey' }, initialTwin }
  const answer = await service.https({ method: 'PUT', path, body, headers: { authorization } })
  if (answer.status === 200) enrolled.set(registrationId, answer.json()['etag'])
  return answer
}

function device(registrationId: string) {
  return deviceWithKey(plane.service, registrationId, derivedKey(groupKey, registrationId))
}

async function why(registrationId: string): Promise<string> {
  const path = plane.path('hubward', `/decisions?registrationId=${registrationId}`)
  return (await plane.call('GET', path)).text
}

function register(registrationId: string): Promise<HttpsAnswer> {
  return askDevice('PUT', registrationId, '/register')
}

function lookup(registrationId: string): Promise<HttpsAnswer> {
  return askDevice('POST', registrationId, '')
}

function askDevice(method: string, registrationId: string, action: string): Promise<HttpsAnswer> {
  const { service } = plane
  const authorization = device(registrationId).token()
  const path = `/${service.idScope}/registrations/${registrationId}${action}?api-version=2019-03-31`
  return service.https({ method, path, body: { registrationId }, headers: { authorization } })
}

function assertRefused({ status, headers, text }: HttpsAnswer, errorCode: string | undefined): void {
  assert.equal(status, 503, text)
  assert.match(String(headers['retry-after']), /^\d+$/)
  if (errorCode !== undefined) assert.match(text, new RegExp(`"errorCode":${errorCode}`))
}
