import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  ask,
  assertAssigned,
  assertErrorBody,
  deviceWithKey,
  enrollDevice,
  mqttPort,
  openSession,
  pollTopic,
  receiveReply,
  registerToTheEnd,
  registerTopic,
  subscribePacket,
  type Device,
} from './device.ts'
import { connectPacket, openMqtt, publishPacket } from './mqtt-client.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.15')
const port = mqttPort(service)
let devices = 0
const newDevice = (entry: object = {}): Promise<Device> => enrollDevice(service, `mqtt-${++devices}`, entry)

describe('MQTT SUBSCRIBE [device-wire §3.2]', { concurrency: 8 }, () => {
  test('the response filter is granted with QoS 1 at most', async () => {
    await using session = await openSession(service, await newDevice())
    for (const [qos, granted] of [
      [0, 0],
      [1, 1],
      [2, 1],
    ] as const) {
      const subscriptions = [{ topic: '$dps/registrations/res/#', qos }]
      session.send({ cmd: 'subscribe', messageId: 40 + qos, subscriptions })
      const { messageId, granted: codes } = await session.receive('suback')
      assert.deepEqual({ messageId, codes }, { messageId: 40 + qos, codes: [granted] })
    }
  })

  test('any other filter is refused with 0x80, one by one, and the connection stays', async () => {
    await using session = await openSession(service, await newDevice())
    const topics = ['#', '$dps/#', '$dps/registrations/res/200', '$dps/registrations/res/#', 'devices/x/messages/#']
    session.send({ cmd: 'subscribe', messageId: 9, subscriptions: topics.map((topic) => ({ topic, qos: 1 as const })) })
    assert.deepEqual((await session.receive('suback')).granted, [128, 128, 128, 1, 128])
    assert.equal((await registerToTheEnd(session))['status'], 'assigned')
  })

  test('UNSUBSCRIBE is answered with UNSUBACK, whatever it names, and responses end with the subscription', async () => {
    await using session = await openSession(service, await newDevice())
    session.send({
      cmd: 'unsubscribe',
      messageId: 21,
      unsubscriptions: ['never/subscribed', '$dps/registrations/res/#'],
    })
    assert.equal((await session.receive('unsuback')).messageId, 21)
    session.send(publishPacket(registerTopic('1')))
    await session.receive('puback')
    await session.silence(600)
  })

  test('a device that has not subscribed is acknowledged but gets no response', async () => {
    const device = await newDevice()
    await using connection = await openMqtt(port)
    connection.send(connectPacket(device.registrationId, device.userName, device.token()))
    await connection.receive('connack')
    connection.send(publishPacket(registerTopic('1')))
    await connection.receive('puback')
    await connection.silence(600)
  })
})

describe('MQTT register and poll [device-wire §3.3, §3.4, §3.5]', { concurrency: 8 }, () => {
  test('SUBACK, PUBACK and the response come in this order, also when all was sent at once', async () => {
    const device = await newDevice()
    await using connection = await openMqtt(port)
    const connect = connectPacket(device.registrationId, device.userName, device.token())
    connection.send(connect, subscribePacket(), publishPacket(registerTopic('1')))
    await connection.receive('connack')
    await connection.receive('suback')
    await connection.receive('puback')
    assert.equal((await receiveReply(connection)).rid, '1')
  })

  test('no response comes sooner than 50 ms after its request, and PUBACK does, for Java [§3.8]', async () => {
    await using session = await openSession(service, await newDevice())
    let operationId = ''
    for (const topic of [() => registerTopic('1'), () => pollTopic('2', operationId), () => pollTopic('3', 'none')]) {
      // PUBACK itself may be held up on a busy machine, but not every time.
      let longest = 0
      for (let tries = 0; tries < 10 && longest < 40; tries++) {
        const sent = performance.now()
        session.send(publishPacket(topic()))
        const acknowledged = (await session.receive('puback')).at
        const { at, body } = await receiveReply(session)
        operationId = String(body['operationId'] ?? operationId)
        assert.ok(at - sent >= 48, `answered ${at - sent} ms after the request`)
        longest = Math.max(longest, at - acknowledged)
      }
      assert.ok(longest >= 40, `answered ${longest} ms after PUBACK at most`)
    }
  })

  test('a register request is answered with an operation to poll, whose state then says where the device belongs', async () => {
    const device = await newDevice()
    await using session = await openSession(service, device)
    const first = await ask(session, registerTopic('r1'), JSON.stringify({ registrationId: device.registrationId }))
    assert.equal(first.status, first.body['status'] === 'assigning' ? 202 : 200)
    assert.equal(first.retryAfter === undefined, first.body['status'] !== 'assigning')
    const { operationId } = first.body
    assert.match(String(operationId), /^5\.[0-9a-f]{16}\.[0-9a-f-]{36}$/)
    const body = await registerToTheEnd(session)
    assertAssigned(body, device.registrationId)
    assert.notEqual(body['operationId'], operationId, 'every register call is a new operation [§9.1]')
    const poll = await ask(session, pollTopic('p1', String(operationId)), ' ')
    assert.equal(poll.status, 200)
    assert.equal(poll.retryAfter, undefined)
    assert.equal(poll.body['operationId'], operationId)
    assertAssigned(poll.body, device.registrationId)
  })

  for (const rid of ['1', '7b0e6b1e-6c2e-4f3a-9d0b-0f7a3f2f9c11', 'a%20b%2Fc', 'UPPER.lower_~', 'x=y', 'ü', '']) {
    test(`the request ID "${rid}" is echoed byte for byte, first in the topic`, async () => {
      await using session = await openSession(service, await newDevice())
      const { topic } = await ask(session, registerTopic(rid))
      assert.match(
        topic,
        new RegExp(`^\\$dps/registrations/res/20[02]/\\?\\$rid=${RegExp.escape(rid)}(&retry-after=\\d+)?$`),
      )
    })
  }

  test('the properties of a request topic come in any order, and the slash before them may be missing [§3.4]', async () => {
    await using session = await openSession(service, await newDevice())
    const { body } = await ask(session, '$dps/registrations/PUT/iotdps-register?$rid=1')
    const operationId = String(body['operationId'])
    const poll = '$dps/registrations/GET/iotdps-get-operationstatus'
    for (const topic of [
      `${poll}/?operationId=${operationId}&$rid=2`,
      `${poll}?$rid=2&operationId=${operationId.replaceAll('.', '%2E')}`,
    ]) {
      const { status, rid } = await ask(session, topic)
      assert.ok(status < 300)
      assert.equal(rid, '2')
    }
  })

  for (const body of ['', ' ', '{}', 'not JSON', '{"registrationId":"somebody-else"}']) {
    test(`the body of a poll is ignored: ${JSON.stringify(body)} [§3.4]`, async () => {
      const device = await newDevice()
      await using session = await openSession(service, device)
      const { operationId } = await registerToTheEnd(session)
      const { status, body: state } = await ask(session, pollTopic('2', String(operationId)), body)
      assert.equal(status, 200)
      assertAssigned(state, device.registrationId)
    })
  }

  const bodies: readonly [string, (registrationId: string) => string][] = [
    ['of C#: empty', () => ''],
    ['of C#: a payload without the registration ID', () => '{"payload":{"a":1}}'],
    ['of C: with blanks', (id) => `{ "registrationId": "${id}", "payload": {"a":1} }`],
    ['of Python: a null payload', (id) => `{"payload": null, "registrationId": "${id}"}`],
    ['of Java: the payload as text', (id) => `{"registrationId":"${id}","payload":"{\\"a\\":1}"}`],
    ['with the registration ID in another letter case', (id) => `{"registrationId":"${id.toUpperCase()}"}`],
    ['with unknown members', (id) => `{"registrationId":"${id}","x":{"y":[null]},"tpm":null}`],
  ]
  for (const [what, body] of bodies) {
    test(`a register body ${what} is taken [§1.4]`, async () => {
      const device = await newDevice()
      await using session = await openSession(service, device)
      assertAssigned(await registerToTheEnd(session, body(device.registrationId)), device.registrationId)
    })
  }

  for (const [what, body] of [
    ['that is not JSON', '{"registrationId"'],
    ['that is not an object', '[1]'],
    ['for another registration ID', '{"registrationId":"somebody-else"}'],
    ['with a registration ID that is no text', '{"registrationId":17}'],
  ] as const) {
    test(`a register body ${what} is answered with 400000 [§1.6]`, async () => {
      await using session = await openSession(service, await newDevice())
      const { status, body: error } = await ask(session, registerTopic('1'), body)
      assert.equal(status, 400)
      assertErrorBody(error, 400000)
    })
  }

  test('TPM keys are refused: there is no TPM attestation over MQTT [§3.3]', async () => {
    await using session = await openSession(service, await newDevice())
    const tpm = { endorsementKey: 'AToAAQ==', storageRootKey: 'ARoAAQ==' }
    const { status } = await ask(session, registerTopic('1'), JSON.stringify({ tpm }))
    assert.ok(status === 400 || status === 401, `answered with ${status}`)
  })

  test('a request with QoS 0 gets its response without PUBACK', async () => {
    await using session = await openSession(service, await newDevice())
    session.send(publishPacket(registerTopic('java'), '', { qos: 0 }))
    assert.equal((await receiveReply(session)).rid, 'java')
  })

  test('answers come with the quality of service that was granted [MQTT-3.8.4-6]', async () => {
    await using session = await openSession(service, await newDevice())
    for (const qos of [0, 1, 2] as const) {
      session.send({ ...subscribePacket(), subscriptions: [{ topic: '$dps/registrations/res/#', qos }] })
      const [granted] = (await session.receive('suback')).granted
      assert.equal(granted, Math.min(qos, 1))
      session.send(publishPacket(registerTopic(`qos-${qos}`)))
      await session.receive('puback')
      assert.equal((await session.receive('publish')).qos, granted)
    }
  })

  test('the retain flag of a request is ignored [§3.6]', async () => {
    await using session = await openSession(service, await newDevice())
    session.send(publishPacket(registerTopic('1'), '', { retain: true }))
    await session.receive('puback')
    assert.ok((await receiveReply(session)).status < 300)
  })

  test('the next response does not wait for the device to acknowledge the last [§3.5]', async () => {
    await using session = await openSession(service, await newDevice())
    const seen = new Set<number | undefined>()
    for (const rid of ['1', '2', '3']) {
      session.send(publishPacket(registerTopic(rid)))
      await session.receive('puback')
      seen.add((await session.receive('publish')).messageId)
    }
    assert.equal(seen.size, 3, 'each has a packet ID of its own')
  })

  test('a disabled device is told so at once, with an empty operation ID [§1.5]', async () => {
    const device = await newDevice({ provisioningStatus: 'disabled' })
    await using session = await openSession(service, device)
    const { status, body } = await ask(session, registerTopic('1'))
    assert.equal(status, 200)
    const { operationId, status: outcome, registrationState } = body
    assert.deepEqual({ operationId, outcome }, { operationId: '', outcome: 'disabled' })
    assert.ok(typeof registrationState === 'object' && registrationState !== null)
    const { registrationId, status: state, ...rest } = { ...(registrationState as Record<string, unknown>) }
    assert.deepEqual({ registrationId, state }, { registrationId: device.registrationId, state: 'disabled' })
    assert.equal('assignedHub' in rest || 'deviceId' in rest, false)
  })
})

describe('MQTT operations of any connection [device-wire §9.2]', { concurrency: 8 }, () => {
  test('an operation begun over MQTT is polled over another connection and over HTTPS', async () => {
    const device = await newDevice()
    let body: Record<string, unknown>
    {
      await using session = await openSession(service, device)
      body = await registerToTheEnd(session)
    }
    await using another = await openSession(service, device)
    assert.deepEqual((await ask(another, pollTopic('9', String(body['operationId'])))).body, body)
    const path = `${device.path}/operations/${String(body['operationId'])}?api-version=2019-03-31`
    const answer = await service.https({ method: 'GET', path, headers: { authorization: device.token() } })
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.json(), body)
  })

  test('the operation of another device and one that never was are unknown: 404202', async () => {
    await using session = await openSession(service, await newDevice())
    const { operationId } = await registerToTheEnd(session)
    await using other = await openSession(service, await newDevice())
    for (const id of [String(operationId), '5.0123456789abcdef.6a4f2c30-8d0e-4a7f-9b52-0f3f3a1d2e77', 'nonsense', '']) {
      const { status, body } = await ask(other, pollTopic('1', id))
      assert.equal(status, 404, id)
      assertErrorBody(body, 404202)
    }
  })

  test('a poll without an operation ID is answered with an error, not with silence', async () => {
    await using session = await openSession(service, await newDevice())
    const { status } = await ask(session, '$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1')
    assert.ok(status === 400 || status === 404, `answered with ${status}`)
  })

  test('the same client ID takes the older connection over once it has proven itself, and operations survive [§3.6]', async () => {
    const device = await newDevice()
    await using older = await openSession(service, device)
    const { operationId } = await registerToTheEnd(older)
    await using newer = await openSession(service, device)
    assertAssigned((await ask(newer, pollTopic('1', String(operationId)))).body, device.registrationId)
    await older.closed()
  })

  test('whoever has the name but not the key cannot cut a device off', async () => {
    const device = await newDevice()
    await using session = await openSession(service, device)
    await registerToTheEnd(session)
    const stranger = deviceWithKey(service, device.registrationId, Buffer.alloc(64, 2).toString('base64'))
    await using other = await openSession(service, stranger)
    assert.equal((await ask(other, registerTopic('1'))).status, 401)
    assert.equal((await registerToTheEnd(session))['status'], 'assigned')
  })
})
