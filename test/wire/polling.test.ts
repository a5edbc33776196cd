import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { symmetricIndividual, x509GroupByRoot } from '../fixtures/enrollments.ts'
import {
  ask,
  assertAssigned,
  enrollDevice,
  openSession,
  pollTopic,
  readBody,
  registerTopic,
  type Body,
} from './device.ts'
import { deviceApi } from './https-client.ts'
import { sdks } from './sdks.ts'
import { serviceUnderTest } from './subject.ts'

// Every register call is answered `assigning` here, as on a day when hubs are slow, so that every client has to poll.
const service = await serviceUnderTest('127.30.18', ['--short-wait', '0', '--retry-after', '1'])
const { register, poll } = deviceApi(service)
let devices = 0

for (const sdk of sdks) {
  const runner = await sdk.open({ caFile: service.caFile })
  describe(`the ${sdk.name} SDK that has to poll`, { concurrency: 8 }, () => {
    after(() => runner[Symbol.asyncDispose]())
    for (const transport of sdk.transports) {
      for (const [what, prepare] of [
        ['a symmetric key', symmetricIndividual],
        ['a certificate and its chain', x509GroupByRoot],
      ] as const) {
        test(`${sdk.name} over ${transport} with ${what} waits, asks again and is assigned`, async () => {
          const registrationId = `polling-${++devices}`
          const { path, body, credential: attestation } = await prepare(registrationId)
          await service.operate('PUT', path, body)
          const { deviceHost: host, idScope } = service
          const result = await runner.run({ host, idScope, registrationId, transport, attestation, connect: true })
          assert.equal(result.error, undefined)
          assert.deepEqual([result.status, result.deviceId], ['assigned', registrationId])
          assert.ok(result.milliseconds >= 1000, `it waited before it asked, ${result.milliseconds} ms in all`)
          assert.ok(result.twin, 'the hub has the device')
        })
      }
    }
  })
}

/** Fails unless the body says no more than every SDK understands of an operation that is under way. [device-wire §1.5] */
function assertAssigning(body: Body, registrationId: string): void {
  const { operationId, registrationState, ...rest } = body
  assert.deepEqual(rest, { status: 'assigning' })
  assert.match(String(operationId), /^5\.[0-9a-f]{16}\.[0-9a-f-]{36}$/)
  if (registrationState === undefined) return
  const { registrationId: id, status } = { ...(registrationState as Body) }
  assert.deepEqual({ id, status }, { id: registrationId, status: 'assigning' })
}

describe('an operation that is under way [device-wire §1.5]', { concurrency: 8 }, () => {
  test('HTTPS answers 202, assigning, and says in Retry-After when to ask', async () => {
    const device = await enrollDevice(service, `polling-${++devices}`)
    const accepted = await register(device)
    assert.equal(accepted.status, 202)
    assert.equal(accepted.headers['retry-after'], '1')
    const body = readBody(Buffer.from(accepted.text))
    assertAssigning(body, device.registrationId)
    for (let polls = 0; polls < 200; polls += 1) {
      const answer = await poll(device, String(body['operationId']))
      const now = readBody(Buffer.from(answer.text))
      if (now['status'] !== 'assigning') return assertAssigned(now, device.registrationId)
      assert.deepEqual([answer.status, answer.headers['retry-after']], [202, '1'])
      assertAssigning(now, device.registrationId)
    }
    assert.fail('The operation never ended')
  })

  test('MQTT answers 202 with retry-after in the topic, and 200 without it when the end is known', async () => {
    const device = await enrollDevice(service, `polling-${++devices}`)
    await using session = await openSession(service, device)
    let reply = await ask(session, registerTopic('1'))
    const operationId = String(reply.body['operationId'])
    assert.deepEqual([reply.status, reply.retryAfter], [202, 1])
    for (let polls = 0; polls < 200 && reply.body['status'] === 'assigning'; polls += 1) {
      assert.deepEqual([reply.status, reply.retryAfter], [202, 1])
      assertAssigning(reply.body, device.registrationId)
      reply = await ask(session, pollTopic('2', operationId))
    }
    assert.deepEqual([reply.status, reply.retryAfter], [200, undefined])
    assertAssigned(reply.body, device.registrationId)
    assert.equal(reply.body['operationId'], operationId)
  })

  test('a disabled device does not have to poll [§1.5]', async () => {
    const device = await enrollDevice(service, `polling-${++devices}`, { provisioningStatus: 'disabled' })
    const { operationId, status } = (await register(device)).json()
    assert.deepEqual({ operationId, status }, { operationId: '', status: 'disabled' })
  })
})
