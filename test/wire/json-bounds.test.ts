import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { askHttps, type HttpsAnswer } from '../fixtures/https.ts'
import { connectionMembers } from '../fixtures/service.ts'
import { sasToken } from '../fixtures/sas.ts'
import { ask as askAmqp, attach, openAmqp, plain, register } from './amqp-client.ts'
import { ask, enrollDevice, openSession, registerTopic } from './device.ts'
import { connectPacket, openMqtt, publishPacket } from './mqtt-client.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.68')
const { ca, ports } = service
const device = await enrollDevice(service, 'bounds')
const facts = await readFile(join(service.dataFolder, 'connection.env'), 'utf8')
const fact = (name: string): string => new RegExp(`^${name}='(.*)'$`, 'm').exec(facts)?.[1] ?? ''
const management = new URL(fact('HUBWARD_MANAGEMENT_ENDPOINT'))
const version = 'api-version=2019-03-31'
const authorization = `Bearer ${fact('HUBWARD_MANAGEMENT_TOKEN')}`

const lists = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
const objects = (levels: number): string => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels)
/** JSON that nothing may be made of. */
const hostile: readonly [string, string][] = [
  ['20,000 lists in each other', lists(20_000)],
  ['5,000 objects in each other', objects(5000)],
  ['65 lists in each other', lists(65)],
  ['a number of 310 digits', '9'.repeat(310)],
  ['a number with an exponent beyond all bounds', '-1e999'],
]

function manage(method: string, path: string, body: string): Promise<HttpsAnswer> {
  return askHttps(management.hostname, Number(management.port), ca, { method, path, body, headers: { authorization } })
}

describe('JSON is as deep and its numbers as large as can be told', { concurrency: 4 }, () => {
  for (const [what, json] of hostile) {
    // Less than 64 KiB, which is all that AMQP takes.
    const registration = `{"payload":{"a":${json}}}`
    const body = `{"registrationId":"bounds","payload":{"a":${json}},"tags":{"a":${json}}}`

    test(`${what}: a device is told 400 over every protocol, its token good or bad`, async () => {
      for (const token of [device.token(), device.token({ expiry: 1 }), 'SharedAccessSignature sr=x', undefined]) {
        const headers = { authorization: token }
        const answer = await service.https({
          method: 'PUT',
          path: `${device.path}/register?${version}`,
          body: registration,
          headers,
        })
        assert.equal(answer.status, 400, answer.text)
      }
      const own = await enrollDevice(service, `json-${hostile.findIndex(([other]) => other === what)}`)
      await using session = await openSession(service, own)
      assert.equal((await ask(session, registerTopic('1'), registration)).status, 400)
      const connection = openAmqp(service, plain(own))
      const answer = await askAmqp(await attach(connection, own.resource), register, registration)
      assert.equal(answer.is === 'rejected' && answer.condition, 'amqp:invalid-field')
      connection.close()
    })

    test(`${what}: an operator is told 400 by every API`, async () => {
      for (const [method, path] of [
        ['PUT', '/enrollments/bounds'],
        ['PUT', '/enrollmentGroups/bounds'],
        ['POST', '/enrollments'],
        ['POST', '/enrollments/query'],
        ['POST', '/registrations/bounds/query'],
      ] as const) {
        const answer = await service.operate(method, path, body, { expect: 400 })
        assert.match(answer.text, /nested deeper than 64 levels|has a number that is too large/, answer.text)
      }
      for (const [method, path] of [
        ['PUT', '/devices/bounds'],
        ['POST', '/devices'],
        ['PATCH', '/twins/bounds'],
        ['PUT', '/twins/bounds'],
        ['POST', '/twins/bounds/methods'],
        ['POST', '/devices/query'],
      ] as const) {
        assert.equal((await service.askHub(0, method, path, body)).status, 400)
      }
      for (const [method, path] of [
        ['POST', '/admin/v1/tokens'],
        ['PUT', '/admin/v1/issuers/bounds'],
      ] as const) {
        const answer = await manage(method, path, body)
        assert.equal(answer.status, 400, answer.text)
      }
    })
  }

  test('64 levels are read, kept and answered', async () => {
    const own = await enrollDevice(service, 'json-deep')
    const body = `{"payload":{"a":${lists(62)}}}`
    const headers = { authorization: own.token() }
    const answer = await service.https({ method: 'PUT', path: `${own.path}/register?${version}`, body, headers })
    assert.equal(answer.status, 202, answer.text)
  })

  test('a reported twin that is too deep is answered, and its connection stays', async () => {
    const made = await service.askHub(0, 'PUT', '/devices/deep', { deviceId: 'deep' })
    const { authentication } = JSON.parse(made.text) as { authentication: { symmetricKey: { primaryKey: string } } }
    const { HostName: host = '' } = connectionMembers(service.hubConnectionStrings[0] ?? '')
    await using connection = await openMqtt({ host, port: ports.mqtt, ca })
    const password = sasToken(`${host}/devices/deep`, authentication.symmetricKey.primaryKey)
    connection.send(connectPacket('deep', `${host}/deep/?api-version=2021-04-12`, password))
    await connection.receive('connack')
    connection.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$iothub/twin/res/#', qos: 0 }] })
    await connection.receive('suback')
    for (const [what, json] of hostile) {
      connection.send(publishPacket('$iothub/twin/PATCH/properties/reported/?$rid=1', `{"a":${json}}`))
      assert.equal((await connection.receive('publish')).topic, '$iothub/twin/res/400/?$rid=1', what)
      await connection.receive('puback')
    }
  })
})
