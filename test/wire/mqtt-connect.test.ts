import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import mqtt from 'mqtt-packet'
import { createSelfSigned } from '../fixtures/certificates.ts'
import { symmetricGroup, x509Individual } from '../fixtures/enrollments.ts'
import { sasToken, type TokenOptions } from '../fixtures/sas.ts'
import {
  ask,
  assertErrorBody,
  deviceWithKey,
  enrollDevice,
  mqttPort,
  openSession,
  registerToTheEnd,
  registerTopic,
  subscribePacket,
  type Device,
} from './device.ts'
import { connectPacket, openMqtt, openTls, speakMqtt, publishPacket } from './mqtt-client.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.11')
const port = mqttPort(service)
let devices = 0
const newDevice = (entry: object = {}): Promise<Device> => enrollDevice(service, `connect-${++devices}`, entry)

/** The CONNACK code for a CONNECT that differs from a good one; a refusal must also close the connection. */
async function connackFor(
  device: Device,
  change: Partial<ReturnType<typeof connectPacket>>,
): Promise<number | undefined> {
  await using connection = await openMqtt(port)
  connection.send({ ...connectPacket(device.registrationId, device.userName, device.token()), ...change })
  const { returnCode, sessionPresent } = await connection.receive('connack')
  assert.equal(sessionPresent, false)
  if (returnCode !== 0) await connection.closed()
  return returnCode
}

describe('MQTT CONNECT [device-wire §3.1]', { concurrency: 8 }, () => {
  for (const clean of [true, false]) {
    for (const keepalive of [0, 60, 65535]) {
      test(`clean session ${clean} with keep-alive ${keepalive} is accepted, and no session is ever present`, async () => {
        assert.equal(await connackFor(await newDevice(), { clean, keepalive }), 0)
      })
    }
  }

  test('a will is accepted and discarded [§3.6]', async () => {
    const will = { topic: 'last/words', payload: Buffer.from('gone'), qos: 1 as const, retain: true }
    assert.equal(await connackFor(await newDevice(), { will }), 0)
  })

  test('protocol level 3 is refused with code 1', async () => {
    assert.equal(await connackFor(await newDevice(), { protocolId: 'MQIsdp', protocolVersion: 3 }), 1)
  })

  test('protocol level 5 is refused with code 1', async () => {
    const device = await newDevice()
    await using connection = await openMqtt(port)
    const packet = {
      ...connectPacket(device.registrationId, device.userName, device.token()),
      protocolVersion: 5 as const,
    }
    connection.sendBytes(mqtt.generate(packet, { protocolVersion: 5 }))
    assert.equal((await connection.receive('connack')).returnCode, 1)
    await connection.closed()
  })

  test('a client ID that is not the registration ID is refused with code 5', async () => {
    assert.equal(await connackFor(await newDevice(), { clientId: 'another' }), 5)
  })

  test('a client ID in another letter case is the same registration ID', async () => {
    const device = await newDevice()
    assert.equal(await connackFor(device, { clientId: device.registrationId.toUpperCase() }), 0)
  })

  test('an empty client ID is refused', async () => {
    assert.ok([2, 5].includes((await connackFor(await newDevice(), { clientId: '' })) ?? 0))
  })

  test('neither a password nor a certificate is refused with code 5', async () => {
    const device = await newDevice()
    await using connection = await openMqtt(port)
    connection.send(connectPacket(device.registrationId, device.userName))
    assert.equal((await connection.receive('connack')).returnCode, 5)
    await connection.closed()
  })

  const userNames: readonly [string, (device: Device) => string, number][] = [
    ['without ClientVersion', ({ resource }) => `${resource}/api-version=2019-03-31`, 0],
    ['with ClientVersion first', ({ resource }) => `${resource}/ClientVersion=a%2Fb&api-version=2021-06-01`, 0],
    ['with an unknown key', ({ resource }) => `${resource}/api-version=2019-03-31&model=x&ClientVersion=2019-03-31`, 0],
    ['with keys in another letter case', ({ resource }) => `${resource}/API-VERSION=2019-03-31&clientversion=1`, 0],
    ['with an api-version of the future [§1.2]', ({ resource }) => `${resource}/api-version=2031-01-01-preview`, 0],
    ['without api-version [§1.2]', ({ resource }) => `${resource}/ClientVersion=1`, 4],
    ['without anything after the registration ID', ({ resource }) => resource, 4],
    ['that is a single word', () => 'device', 4],
    ['that is empty', () => '', 4],
  ]
  for (const [what, userName, code] of userNames) {
    test(`a user name ${what} is answered with code ${code}`, async () => {
      const device = await newDevice()
      assert.equal(await connackFor(device, { username: userName(device) }), code)
    })
  }

  test('a malformed api-version is refused with 400000 when the device registers [§1.2]', async () => {
    const device = await newDevice()
    const userName = `${device.resource}/api-version=latest`
    await using session = await openSession(service, { ...device, userName })
    const { status, body } = await ask(session, registerTopic('1'))
    assert.equal(status, 400)
    assertErrorBody(body, 400000)
  })

  test('a certificate whose common name is not the registration ID is refused with code 5 [§7.2]', async () => {
    const device = await newDevice()
    const { certificate, key } = await createSelfSigned('somebody-else')
    await using connection = await openMqtt({ ...port, cert: certificate, key })
    connection.send(connectPacket(device.registrationId, device.userName))
    assert.equal((await connection.receive('connack')).returnCode, 5)
    await connection.closed()
  })

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`a device with a certificate and an empty password registers over ${maxVersion} [§3.1]`, async () => {
      const registrationId = `mqtt-${++devices}`
      const { path, body, credential } = await x509Individual(registrationId)
      await service.operate('PUT', path, body)
      assert.ok('certificate' in credential)
      const device = deviceWithKey(service, registrationId, '')
      await using connection = await openMqtt({
        ...port,
        maxVersion,
        cert: credential.certificate,
        key: credential.key,
      })
      connection.send(connectPacket(registrationId, device.userName, ''), subscribePacket())
      assert.equal((await connection.receive('connack')).returnCode, 0)
      await connection.receive('suback')
      assert.equal((await registerToTheEnd(connection))['status'], 'assigned')
    })
  }

  test('a refused device that keeps its half of the connection open is cut off', async () => {
    const device = await newDevice()
    const socket = await openTls({ ...port, allowHalfOpen: true })
    const connection = speakMqtt(socket)
    connection.send(connectPacket('another', device.userName, device.token()))
    assert.equal((await connection.receive('connack')).returnCode, 5)
    await connection.closed()
    const gone = new Promise<string>((resolve) => socket.once('error', () => resolve('gone')))
    const knocking = setInterval(() => connection.sendBytes(Buffer.from('c000', 'hex')), 100)
    assert.equal(await Promise.race([gone, wait(10_000, 'still there', { ref: false })]), 'gone')
    clearInterval(knocking)
    connection.drop()
  })

  test('a second CONNECT closes the connection [§3.6]', async () => {
    const device = await newDevice()
    await using session = await openSession(service, device)
    session.send(connectPacket(device.registrationId, device.userName, device.token()))
    await session.closed()
  })

  for (const [what, packet] of [
    ['SUBSCRIBE', subscribePacket()],
    ['PUBLISH', publishPacket(registerTopic('1'))],
    ['PINGREQ', { cmd: 'pingreq' }],
    ['CONNACK', { cmd: 'connack', returnCode: 0, sessionPresent: false }],
  ] as const) {
    test(`${what} before CONNECT closes the connection [§3.6]`, async () => {
      await using connection = await openMqtt(port)
      connection.send(packet)
      await connection.closed()
    })
  }

  test('a CONNECT that trickles in for 30 s is cut off, also when its sender never stops [§3.6]', async () => {
    const device = await newDevice()
    const bytes = mqtt.generate(connectPacket(device.registrationId, device.userName, device.token()))
    await using connection = await openMqtt(port)
    const started = performance.now()
    for (let sent = 0; connection.isOpen() && performance.now() - started < 36_000; sent += 1) {
      connection.sendBytes(bytes.subarray(sent, sent + 1))
      await wait(1000)
    }
    await connection.closed(0)
    assert.ok(performance.now() - started > 25_000, 'a slow device has its 30 s')
  })
})

describe('MQTT credentials [device-wire §3.1, §6]', { concurrency: 8 }, () => {
  const spellings: readonly [string, TokenOptions][] = [
    ['Node', { encoding: 'none', keyName: 'registration', order: ['sr', 'sig', 'skn', 'se'] }],
    ['Python', { encoding: 'upper' }],
    ['C', { encoding: 'lower', keyName: 'registration' }],
    ['C#', { encoding: 'upper', keyName: 'registration', expiry: Math.floor(Date.now() / 1000) + 86_400 }],
    ['Java', { encoding: 'none', keyName: '' }],
    ['the documented script', { encoding: 'upper', keyName: 'registration', order: ['sig', 'se', 'skn', 'sr'] }],
  ]
  for (const [client, options] of spellings) {
    for (const registrationId of ['plain', 'With.Dots_and:colon']) {
      test(`the token of ${client} admits ${registrationId} [§6.1]`, async () => {
        const device = await enrollDevice(service, `${registrationId}-${++devices}`)
        const spelled = { ...device, token: () => device.token(options) }
        await using session = await openSession(service, spelled)
        assert.equal((await registerToTheEnd(session))['status'], 'assigned')
      })
    }
  }

  test('the secondary key is as good as the primary one [§6.2]', async () => {
    const registrationId = `mqtt-${++devices}`
    const secondaryKey = Buffer.alloc(32, 7).toString('base64')
    const symmetricKey = { primaryKey: Buffer.alloc(32, 5).toString('base64'), secondaryKey }
    const attestation = { type: 'symmetricKey', symmetricKey }
    await service.operate('PUT', `/enrollments/${registrationId}`, { registrationId, attestation })
    await using session = await openSession(service, deviceWithKey(service, registrationId, secondaryKey))
    assert.equal((await registerToTheEnd(session))['status'], 'assigned')
  })

  const refusedTokens: readonly [string, (device: Device) => string][] = [
    ['signed with another key', ({ resource }) => sasToken(resource, Buffer.alloc(32, 1).toString('base64'))],
    ['that has expired', (device) => device.token({ expiry: Math.floor(Date.now() / 1000) - 3600 })],
    ['for another device', ({ key }) => sasToken(`${service.idScope}/registrations/somebody-else`, key)],
    ['for another ID scope', ({ key, registrationId }) => sasToken(`0neFFFFFFFF/registrations/${registrationId}`, key)],
    ['for a longer path', ({ key, resource }) => sasToken(`${resource}/register`, key)],
    ['with another key name', (device) => device.token({ keyName: 'owner' })],
    ['without a signature', ({ resource }) => `SharedAccessSignature sr=${encodeURIComponent(resource)}&se=1900000000`],
    ['that is not a token', () => 'swordfish'],
  ]
  for (const [what, token] of refusedTokens) {
    test(`a token ${what} is accepted at CONNECT and refused at register with 401002`, async () => {
      const device = await newDevice()
      await using session = await openSession(service, { ...device, token: () => token(device) })
      const { status, body } = await ask(session, registerTopic('1'))
      assert.equal(status, 401)
      assertErrorBody(body, 401002)
    })
  }

  test('nobody can tell an unknown device, an unknown ID scope and a wrong key apart [§1.6]', async () => {
    const device = await newDevice()
    const key = Buffer.alloc(64, 3).toString('base64')
    const unknown = deviceWithKey(service, 'never-enrolled', key)
    const elsewhere = deviceWithKey({ ...service, idScope: '0neFFFFFFFF' }, device.registrationId, device.key)
    const answers = await Promise.all(
      [deviceWithKey(service, device.registrationId, key), unknown, elsewhere].map(async (stranger) => {
        await using session = await openSession(service, stranger)
        const { status, body } = await ask(session, registerTopic('1'))
        assertErrorBody(body, 401002)
        return { status, message: body['message'], members: Object.keys(body) }
      }),
    )
    assert.deepEqual(answers[1], answers[0])
    assert.deepEqual(answers[2], answers[0])
  })

  test('the key of a group is not the key of its devices [§6.2]', async () => {
    const registrationId = `mqtt-${++devices}`
    const { path, body } = await symmetricGroup(registrationId)
    const primaryKey = Buffer.alloc(64, 9).toString('base64')
    const symmetricKey = { primaryKey, secondaryKey: Buffer.alloc(64, 8).toString('base64') }
    await service.operate('PUT', path, { ...body, attestation: { type: 'symmetricKey', symmetricKey } })
    await using session = await openSession(service, deviceWithKey(service, registrationId, primaryKey))
    assertErrorBody((await ask(session, registerTopic('1'))).body, 401002)
  })
})
