import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import { newKey } from '../../fixtures/enrollments.ts'
import { askHttps, type HttpsAnswer } from '../../fixtures/https.ts'
import { derivedKey, sasToken } from '../../fixtures/sas.ts'
import { connectionMembers } from '../../fixtures/service.ts'
import { openControlPlane, type ControlPlane } from '../../management/control-plane.ts'
import { ask as askAmqp, attach, openAmqp, plain, register as registerOverAmqp } from '../../wire/amqp-client.ts'
import { ask as askMqtt, deviceWithKey, openSession, registerTopic, type Device } from '../../wire/device.ts'

/** The product with a group of devices, whose disk is about to fail. */
export interface Fleet extends AsyncDisposable {
  readonly plane: ControlPlane
  /** Makes or writes an individual enrollment of 2 KB; whether it is refused or not. */
  readonly enroll: (registrationId: string) => Promise<HttpsAnswer>
  /** What was acknowledged so far: registration IDs and their etags. */
  readonly enrolled: ReadonlyMap<string, unknown>
  /** A device of the group, enrolled by it or not yet. */
  readonly device: (registrationId: string) => Device
  readonly register: (registrationId: string) => Promise<HttpsAnswer>
  /** Registers it and waits for its hub and for the record of that; fails if it gets none. */
  readonly provision: (registrationId: string) => Promise<void>
  readonly lookup: (registrationId: string) => Promise<HttpsAnswer>
  /** The decision records of a device, as text. */
  readonly why: (registrationId: string) => Promise<string>
}

/** Starts it on this network, with a log of JSON lines. */
export async function openFleet(network: string): Promise<Fleet> {
  const plane = await openControlPlane(network, ['--log', 'json'])
  const { service } = plane
  const groupKey = newKey()
  const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: groupKey, secondaryKey: newKey() } }
  await service.operate('PUT', '/enrollmentGroups/fleet', { enrollmentGroupId: 'fleet', attestation })
  const enrolled = new Map<string, unknown>()
  const device = (registrationId: string) =>
    deviceWithKey(service, registrationId, derivedKey(groupKey, registrationId))
  const ask = (method: string, registrationId: string, action: string) => {
    const authorization = device(registrationId).token()
    const path = `/${service.idScope}/registrations/${registrationId}${action}?api-version=2019-03-31`
    const body = method === 'GET' ? undefined : { registrationId }
    return service.https({ method, path, body, headers: { authorization } })
  }
  const register = (registrationId: string) => ask('PUT', registrationId, '/register')
  const lookup = (registrationId: string) => ask('POST', registrationId, '')
  const why = async (registrationId: string) =>
    (await plane.call('GET', plane.path('hubward', `/decisions?registrationId=${registrationId}`))).text
  return {
    plane,
    enrolled,
    device,
    register,
    lookup,
    provision: async (registrationId) => {
      let answer = await register(registrationId)
      const { operationId } = answer.json()
      for (let polls = 0; answer.json()['status'] === 'assigning' && polls < 100; polls++) {
        await wait(100)
        answer = await ask('GET', registrationId, `/operations/${String(operationId)}`)
      }
      assert.equal(answer.json()['status'], 'assigned', answer.text)
      // Decision records are written a little after the answer; a fault that comes before that holds them back.
      for (let asked = 0; !(await why(registrationId)).includes('assigned'); asked++) {
        assert.ok(asked < 100, `${registrationId} has a record of its assignment`)
        await wait(100)
      }
    },
    enroll: async (registrationId) => {
      const { HostName = '', ...policy } = connectionMembers(service.serviceConnectionString)
      const authorization = sasToken(HostName, policy['SharedAccessKey'] ?? '', {
        keyName: policy['SharedAccessKeyName'] ?? '',
      })
      const path = `/enrollments/${registrationId}?api-version=2021-10-01`
      const initialTwin = { tags: { text: 'x'.repeat(1500) } }
      const body = { registrationId, attestation: { type: 'symmetricKey' }, initialTwin }
      const answer = await service.https({ method: 'PUT', path, body, headers: { authorization } })
      if (answer.status === 200) enrolled.set(registrationId, answer.json()['etag'])
      return answer
    },
    why,
    [Symbol.asyncDispose]: () => plane[Symbol.asyncDispose](),
  }
}

/** Every API refuses what must be written in words that its clients know, `/ready` says so, and nothing ends or is a fault. */
export async function assertWritesRefused(fleet: Fleet): Promise<void> {
  const { plane } = fleet
  const { service } = plane
  await Promise.all([
    fleet.enroll('another').then((answer) => assertRefused(answer, '503001')),
    fleet.register('new-https').then((answer) => assertRefused(answer, '503001')),
    assertRefusedOverMqtt(fleet),
    assertRefusedOverAmqp(fleet),
    plane.call('PATCH', plane.path('hubward'), { body: { tags: { floor: '2' } }, expect: 503 }).then((managed) => {
      assert.match(managed.text, /StoreUnavailable/)
      assert.ok(managed.headers['retry-after'])
    }),
    service.askHub(0, 'PUT', '/devices/new', { deviceId: 'new' }).then((hub) => {
      assertRefused(hub)
      assert.equal(hub.headers['iothub-errorcode'], 'ServiceUnavailable')
    }),
  ])
  const ready = await plane.call('GET', '/ready', { token: null, expect: 503 })
  assert.match(ready.text, /cannot be written/)
  await plane.call('GET', '/health', { token: null })
  assert.ok(service.running())
  const faults = service
    .log()
    .split('\n')
    .filter((line) => line.includes('"fault":'))
  assert.deepEqual(
    faults.filter((line) => !line.includes('the audit log in')),
    [],
    'it is told once, and is no fault',
  )
}

async function assertRefusedOverMqtt({ plane, device }: Fleet): Promise<void> {
  await using session = await openSession(plane.service, device('new-mqtt'))
  const reply = await askMqtt(session, registerTopic('1'))
  assert.match(reply.topic, /^\$dps\/registrations\/res\/503\/\?\$rid=1&retry-after=\d+$/)
}

async function assertRefusedOverAmqp({ plane, device }: Fleet): Promise<void> {
  const connection = openAmqp(plane.service, plain(device('new-amqp')))
  const links = await attach(connection, device('new-amqp').resource)
  const outcome = await askAmqp(links, registerOverAmqp)
  connection.close()
  assert.match(JSON.stringify(outcome), /503001/)
}

/** What need not be written is answered by every API; `registered` was assigned before. */
export async function assertReadsAnswered({ plane, lookup, why }: Fleet, registered: string): Promise<void> {
  const { service } = plane
  const assignedHub = String((await lookup(registered)).json()['assignedHub'])
  await service.operate('GET', '/enrollmentGroups/fleet')
  await service.operate('GET', `/registrations/${registered}`)
  await service.operate('POST', '/enrollments/query', { query: 'SELECT * FROM enrollments' })
  await plane.call('GET', plane.path('hubward'))
  assert.match(await why(registered), /assigned/)
  await plane.call('GET', '/metrics')
  const at = service.hubConnectionStrings.findIndex((text) => connectionMembers(text)['HostName'] === assignedHub)
  assert.equal((await service.askHub(at, 'GET', `/devices/${registered}`)).status, 200)
  assert.equal((await service.askHub(at, 'GET', `/twins/${registered}`)).status, 200)
}

/** Waits until `/ready` says so, half a minute at most; then everything is written again, and what was refused has its record. */
export async function assertRecovered(fleet: Fleet, refused: string): Promise<void> {
  const { host, port, service } = fleet.plane
  for (let second = 0; ; second++) {
    const { status } = await askHttps(host, port, service.ca, { method: 'GET', path: '/ready' })
    if (status === 200) break
    assert.ok(second < 30, 'it is ready within half a minute')
    await wait(1000)
  }
  assert.equal((await fleet.enroll(`after-${fleet.enrolled.size}`)).status, 200)
  await fleet.provision('new-https')
  await service.logged(/hubward\.db is written again/)
  assert.match(await fleet.why(refused), /StoreUnavailable/, 'what was refused meanwhile has its record')
}

/** Nothing that was acknowledged is missing. */
export async function assertAllThere({ plane, enrolled }: Fleet, registered: string): Promise<void> {
  for (const [registrationId, etag] of enrolled) {
    const found = await plane.service.operate('GET', `/enrollments/${registrationId}`)
    assert.equal(found.json()['etag'], etag, `${registrationId} was acknowledged`)
  }
  assert.equal((await plane.service.operate('GET', `/registrations/${registered}`)).json()['status'], 'assigned')
}

/** Fails unless it is 503 with a time to come again, and the error code of the service API. */
export function assertRefused({ status, headers, text }: HttpsAnswer, errorCode?: string): void {
  assert.equal(status, 503, text)
  assert.match(String(headers['retry-after']), /^\d+$/)
  if (errorCode !== undefined) assert.match(text, new RegExp(`"errorCode":${errorCode}`))
}
