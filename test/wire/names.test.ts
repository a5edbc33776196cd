import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { symmetricIndividual } from '../fixtures/enrollments.ts'
import { askHttps, type HttpsAnswer } from '../fixtures/https.ts'
import { connectionMembers } from '../fixtures/service.ts'
import { ask, attach, openAmqp, plain } from './amqp-client.ts'
import { deviceWithKey, enrollDevice, mqttPort, openSession, registerTopic, receiveReply } from './device.ts'
import { connectPacket, openMqtt, openTls, publishPacket } from './mqtt-client.ts'
import { serviceUnderTest } from './subject.ts'

/** What every JavaScript object has, named by a stranger wherever a name is looked up. */
const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']

const service = await serviceUnderTest('127.30.60')
const { deviceHost, ca, ports } = service
const facts = await readFile(join(service.dataFolder, 'connection.env'), 'utf8')
const fact = (name: string): string => new RegExp(`^${name}='(.*)'$`, 'm').exec(facts)?.[1] ?? ''
const management = new URL(fact('HUBWARD_MANAGEMENT_ENDPOINT'))

/** A call of the control plane by its administrator. */
function manage(method: string, path: string, body?: unknown, bearer?: string): Promise<HttpsAnswer> {
  const authorization = `Bearer ${bearer ?? fact('HUBWARD_MANAGEMENT_TOKEN')}`
  return askHttps(management.hostname, Number(management.port), ca, { method, path, body, headers: { authorization } })
}

/** A client's mistake, or fine; never a fault of the service. */
function assertAnswered({ status, text }: HttpsAnswer): void {
  assert.ok(status < 500, `${status}: ${text}`)
}

/** A JSON object with one member; an object literal would take `__proto__` for something else. */
function object(name: string, value: unknown): object {
  return JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(value)}}`) as object
}

describe('a name that every JavaScript object has is a name like any other', { concurrency: 4 }, () => {
  for (const name of names) {
    test(`${name}: as a WebSocket's subprotocol it is unknown`, async () => {
      const headers = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ${name}`
      const socket = await openTls({ host: deviceHost, port: ports.https, ca })
      socket.write(
        `GET / HTTP/1.1\r\nHost: ${deviceHost}\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n${headers}\r\n\r\n`,
      )
      const [answer] = (await once(socket, 'data')) as [Buffer]
      socket.destroy()
      assert.match(answer.toString(), /^HTTP\/1\.1 400 /)
    })

    test(`${name}: beside a known subprotocol it changes nothing`, async () => {
      const url = `wss://${deviceHost}:${ports.https}/`
      const socket = new WebSocket(url, [name, 'MQTT'], { ca })
      await once(socket, 'open')
      assert.equal(socket.protocol, 'MQTT')
      socket.terminate()
    })

    test(`${name}: over HTTPS, as every part of a path, a query, a header, a token and a body`, async () => {
      const device = await enrollDevice(service, `https-${name.replaceAll('_', '')}`)
      const version = `api-version=2019-03-31`
      for (const path of [
        `/${name}/registrations/${name}/register?${version}`,
        `/${service.idScope}/${name}/x/register?${version}`,
        `${device.path}/${name}?${version}`,
        `${device.path}/operations/${name}?${version}`,
        `${device.path}/register?api-version=${name}&${name}=${name}`,
        `/devices/${name}/${name}?${version}`,
        `/twins/${name}/${name}?${version}`,
        `/${name}`,
      ]) {
        for (const method of ['GET', 'PUT', 'POST', 'DELETE'])
          assertAnswered(await service.https({ method, path, body: {} }))
      }
      const register = { method: 'PUT', path: `${device.path}/register?${version}` }
      for (const authorization of [
        `${name} ${name}`,
        `SharedAccessSignature ${name}=${name}`,
        `SharedAccessSignature sr=${name}&sig=${name}&se=9999999999&skn=${name}`,
        `Bearer ${name}`,
      ]) {
        assertAnswered(await service.https({ ...register, body: {}, headers: { authorization, [name]: name } }))
        assertAnswered(
          await service.https({ method: 'GET', path: `/enrollments/x?${version}`, headers: { authorization } }),
        )
        assertAnswered(
          await service.https({ method: 'GET', path: `/devices/x?${version}`, headers: { authorization } }),
        )
      }
      const headers = { authorization: device.token() }
      for (const value of [{ a: 1 }, null, 'x']) {
        const body = { ...object(name, value), payload: object(name, value) }
        assert.equal((await service.https({ ...register, body, headers })).status, 202)
      }
      const tpm = { endorsementKey: object(name, 1), storageRootKey: object(name, 1) }
      assertAnswered(await service.https({ ...register, body: { tpm, registrationId: object(name, 1) }, headers }))
    })

    test(`${name}: over MQTT, in the user name and in a topic`, async () => {
      const device = await enrollDevice(service, `mqtt-${name.replaceAll('_', '')}`)
      await using unknown = await openMqtt(mqttPort(service))
      unknown.send(connectPacket(device.registrationId, `${device.resource}/${name}=1&${name}`, device.token()))
      assert.notEqual((await unknown.receive('connack')).returnCode, 0)
      await using named = await openMqtt(mqttPort(service))
      const userName = `${device.userName}&${name}=${name}`
      named.send(connectPacket(device.registrationId, userName, device.token()))
      assert.equal((await named.receive('connack')).returnCode, 0)
      await using session = await openSession(service, device)
      session.send(publishPacket(`${registerTopic(name)}&${name}=${name}`, JSON.stringify(object(name, { a: 1 }))))
      await session.receive('puback')
      const reply = await receiveReply(session)
      assert.equal(reply.rid, name)
      assert.ok(reply.status < 300)
    })

    test(`${name}: over AMQP, as an operation, a property and an address`, async () => {
      const device = await enrollDevice(service, `amqp-${name.replaceAll('_', '')}`)
      const connection = openAmqp(service, plain(device))
      const properties = { 'com.microsoft:api-version': '2019-03-31', ...object(name, name) }
      const links = await attach(connection, device.resource, properties)
      const operations: object[] = [
        { 'iotdps-operation-type': name },
        { 'iotdps-operation-type': 'iotdps-get-operationstatus', 'iotdps-operation-id': name },
        object(name, name),
      ]
      for (const operation of operations) {
        const answer = await ask(links, operation, JSON.stringify(object(name, 1)))
        assert.ok(answer.is === 'rejected' && answer.condition !== 'amqp:internal-error', JSON.stringify(answer))
      }
      connection.close()
      const stranger = openAmqp(service, plain(deviceWithKey(service, name, 'AAAA')))
      await once(stranger, 'disconnected')
    })

    test(`${name}: a twin keeps it, from the enrollment to the hub`, async () => {
      const id = `twin-${name.replaceAll('_', '')}`
      const { path, body } = await symmetricIndividual(id)
      const tags = object(name, { toString: 1, valueOf: [1] })
      const desired = object(name, 'x')
      const initialTwin = { tags, properties: { desired } }
      const put = await service.operate('PUT', path, { ...body, initialTwin, optionalDeviceInformation: tags })
      assert.equal(JSON.stringify((put.json() as { initialTwin: object }).initialTwin), JSON.stringify(initialTwin))
      const { credential } = { credential: put.json() as { attestation: { symmetricKey: { primaryKey: string } } } }
      const device = deviceWithKey(service, id, credential.attestation.symmetricKey.primaryKey)
      await using session = await openSession(service, device)
      session.send(publishPacket(registerTopic('1'), '{}'))
      await session.receive('puback')
      await receiveReply(session)
      const found = await twinOnItsHub(id)
      assert.equal(JSON.stringify(found.tags), JSON.stringify(tags))
      assert.equal(JSON.stringify(withoutMetadata(found.properties.desired)), JSON.stringify(desired))
      const hub = hubs.find(({ at }) => at === found.hub)!
      const patch = { tags: object(name, { more: 1, toString: null }), properties: { desired: object(name, null) } }
      const patched = await service.askHub(hub.at, 'PATCH', `/twins/${id}`, patch)
      const after = JSON.parse(patched.text) as Twin
      assert.equal(JSON.stringify(after.tags), JSON.stringify(object(name, { valueOf: [1], more: 1 })))
      assert.deepEqual(Object.keys(withoutMetadata(after.properties.desired)), [])
      for (const query of [
        `SELECT * FROM devices WHERE tags.${name}.more = 1`,
        `SELECT * FROM devices WHERE tags['${name}'].more = 1 AND NOT is_defined(${name}.${name})`,
      ]) {
        const rows = JSON.parse((await service.askHub(hub.at, 'POST', '/devices/query', { query })).text) as Twin[]
        assert.deepEqual(
          rows.map(({ deviceId }) => deviceId),
          [id],
          query,
        )
      }
      for (const query of [
        `SELECT * FROM devices WHERE ${name} = 1`,
        `SELECT * FROM devices WHERE startswith(tags.${name}, 'a') OR endswith(tags['${name}'], 'a')`,
        `SELECT * FROM devices WHERE startswith(tags, 'a')`,
      ]) {
        assert.equal((await service.askHub(hub.at, 'POST', '/devices/query', { query })).text, '[]', query)
      }
    })

    test(`${name}: in the service API, as an ID, a member, a path of a query and a column`, async () => {
      for (const path of [`/enrollments/${name}`, `/enrollmentGroups/${name}`, `/registrations/${name}`]) {
        for (const method of ['GET', 'DELETE', 'PUT', 'POST'])
          assertAnswered(await operate(method, path, object(name, 1)))
      }
      for (const family of ['enrollments', 'enrollmentGroups']) {
        assertAnswered(await operate('POST', `/${family}`, { mode: name, [family]: [object(name, 1)] }))
        for (const query of [
          `SELECT * WHERE ${name} = 1`,
          `SELECT * WHERE registrationId.${name} = 1 OR ${name}.${name} IN [1]`,
          `SELECT ${name}, etag AS ${name}`,
          `SELECT etag AS ${name}`,
          `SELECT ${name}, COUNT() AS total GROUP BY ${name}`,
          `SELECT COUNT() AS ${name}`,
        ]) {
          assertAnswered(await operate('POST', `/${family}/query`, { query }))
        }
      }
      const column = `column-${name.replaceAll('_', '')}`
      const query = `SELECT registrationId AS ${name} WHERE registrationId = '${column}'`
      await enrollDevice(service, column)
      const { text } = await operate('POST', '/enrollments/query', { query })
      assert.equal(text, `[{"${name}":"${column}"}]`)
      const { path, body } = await symmetricIndividual(`member-${name.replaceAll('_', '')}`)
      for (const member of ['attestation', 'allocationPolicy', 'iotHubHostName', 'reprovisionPolicy', 'capabilities']) {
        for (const value of [object(name, 1), name])
          assertAnswered(await operate('PUT', path, { ...body, [member]: value }))
      }
    })

    test(`${name}: at a hub, as an ID, a header and a member of an identity`, async () => {
      const id = `hub-${name}`
      assert.equal((await service.askHub(0, 'PUT', `/devices/${id}`, { deviceId: id })).status, 200)
      for (const change of [
        { status: object(name, 1) },
        { authentication: { type: object(name, 1) } },
        { authentication: object(name, 1) },
        { authentication: { type: name } },
        { capabilities: object(name, 1), parentScopes: object(name, 1) },
      ]) {
        assertAnswered(await service.askHub(0, 'PUT', `/devices/${id}`, { deviceId: id, ...change }))
        assertAnswered(await service.askHub(0, 'POST', '/devices', [{ id, importMode: 'create', ...change }]))
      }
      for (const importMode of [name, object(name, 1), [name]]) {
        assertAnswered(await service.askHub(0, 'POST', '/devices', [{ id, importMode }]))
      }
      for (const path of [`/${name}`, `/devices/${name}`, `/twins/${name}/modules/${name}`, `/statistics/${name}`]) {
        for (const method of ['GET', 'PUT', 'POST', 'PATCH', 'DELETE']) {
          assertAnswered(await service.askHub(0, method, path, object(name, 1)))
        }
      }
      const { HostName = '' } = connectionMembers(service.hubConnectionStrings[0] ?? '')
      const headers = { [name]: 'x', [`iothub-app-${name}`]: 'x', 'x-ms-continuation': name, 'if-match': name }
      assertAnswered(await askHttps(HostName, ports.https, ca, { method: 'GET', path: '/devices', headers }))
    })

    test(`${name}: in the control plane, as an instance, a tag, a limit, a location and a claim`, async () => {
      const instance = `/subscriptions/0/resourceGroups/hubward/providers/Microsoft.Devices/provisioningServices/${name}`
      for (const path of [
        instance,
        `${instance}/${name}`,
        `/admin/v1/${name}`,
        `/${name}`,
        `/admin/v1/issuers/${name}`,
      ]) {
        for (const method of ['GET', 'PUT', 'PATCH', 'POST', 'DELETE']) {
          assertAnswered(await manage(method, `${path}?api-version=2022-12-12`, object(name, name)))
        }
      }
      const claims = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
      const head = claims({ alg: 'ES256', kid: name })
      for (const iss of [name, object(name, 1), 7, [name]]) {
        assert.equal((await manage('GET', '/admin/v1/tokens', undefined, `${head}.${claims({ iss })}.AA`)).status, 401)
      }
    })
  }
})

test('a hub whose location is called constructor is at no known place', async () => {
  const version = 'api-version=2022-12-12'
  const subscription = '/subscriptions/00000000-0000-0000-0000-000000000000'
  const listed = await manage('GET', `${subscription}/providers/Microsoft.Devices/provisioningServices?${version}`)
  const [instance] = (JSON.parse(listed.text) as { value: { id: string; properties: object }[] }).value
  assert.ok(instance, listed.text)
  const put = (properties: object): Promise<HttpsAnswer> =>
    manage('PUT', `${instance.id}?${version}`, {
      location: 'local',
      properties: { ...instance.properties, ...properties },
    })
  for (const [index, location] of names.entries()) {
    const iotHubs = service.hubConnectionStrings.map((connectionString) => ({ connectionString, location }))
    const placed = await put({ iotHubs, allocationPolicy: 'GeoLatency' })
    assert.ok(placed.status < 300, placed.text)
    const device = await enrollDevice(service, `somewhere-${index}`)
    const headers = { authorization: device.token() }
    const path = `${device.path}/register?api-version=2019-03-31`
    const answer = await service.https({ method: 'PUT', path, headers, body: {} })
    assert.equal(answer.status, 202, answer.text)
  }
  assert.ok((await put({})).status < 300)
})

function operate(method: string, path: string, body: unknown): Promise<HttpsAnswer> {
  return service.operate(method, path, body).catch((error: Error) => {
    const status = Number(/ answered (\d{3}): /.exec(error.message)?.[1])
    if (!status) throw error
    return { status, text: error.message, headers: {}, rawHeaders: [], json: () => ({}) }
  })
}

interface Twin {
  readonly deviceId: string
  readonly tags: object
  readonly properties: { readonly desired: object }
}

const hubs = [{ at: 0 }, { at: 1 }]

async function twinOnItsHub(id: string): Promise<Twin & { readonly hub: number }> {
  for (const { at } of hubs) {
    const answer = await service.askHub(at, 'GET', `/twins/${id}`)
    if (answer.status === 200) return { ...(JSON.parse(answer.text) as Twin), hub: at }
  }
  throw new Error(`no hub has ${id}`)
}

function withoutMetadata(collection: object): object {
  return Object.fromEntries(Object.entries(collection).filter(([member]) => !member.startsWith('$')))
}
