import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Key } from '../../src/bundled-hub/key.ts'
import { signSasToken } from '../../src/wire/sas-token.ts'
import { createSelfSigned, sha256Thumbprint } from '../fixtures/certificates.ts'
import { connectPacket, type MqttConnection, openMqtt } from '../wire/mqtt-client.ts'
import { member } from './member.ts'
import { type HubServer, serveHub } from './server.ts'
import { askHub, createDevice, telemetryOf } from './service-api.ts'

let server: HubServer

before(async () => {
  server = await serveHub('127.20.1.4')
})

after(async () => {
  assert.deepEqual(server.faults, [])
  await server[Symbol.asyncDispose]()
})

test('user names are read as every SDK writes them, whatever characters the device name has', async () => {
  for (const deviceId of ['plain', "od?d:.+%_#*!(),=@;$'-id"]) {
    const key = keyIn(await createDevice(server, deviceId))
    for (const tail of ['', '/', '/?api-version=2021-04-12&DeviceClientType=x%2Fy', '/api-version=2016-11-14/x']) {
      assert.equal(await connackOf(deviceId, `${server.address}/${deviceId}${tail}`, token(key, deviceId)), 0, tail)
    }
    const other = `${server.address}/someone/?api-version=2021-04-12`
    assert.equal(await connackOf(deviceId, other, token(key, deviceId)), 5)
    assert.equal(await connackOf(deviceId, `other.test/${deviceId}`, token(key, deviceId)), 4)
  }
  assert.equal(await connackOf('', `${server.address}/`, undefined), 2)
})

test('a token is judged by key, resource, expiry and policy', async () => {
  const key = keyIn(await createDevice(server, 'judged'))
  await createDevice(server, 'neighbour')
  const userName = `${server.address}/judged/?api-version=2021-04-12`
  const code = (password: string | undefined) => connackOf('judged', userName, password)
  assert.equal(await code(token(key, 'judged')), 0)
  assert.equal(await code(token(key, 'neighbour')), 5)
  assert.equal(await code(token(Key.generate(), 'judged')), 5)
  assert.equal(await code(token(key, 'judged', -1)), 5)
  assert.equal(await code(undefined), 5)
  assert.equal(await code('nonsense'), 5)
  assert.equal(await code(policyToken('device')), 0)
  assert.equal(await code(policyToken('service')), 5)
  const secondary = await askHub(server, 'GET', '/devices/judged')
  const text = String(member(secondary.json(), 'authentication', 'symmetricKey', 'secondaryKey'))
  assert.equal(await code(token(Key.stored(text), 'judged')), 0)
})

test('a certificate is known by its SHA-1 or SHA-256 thumbprint, primary or secondary', async () => {
  const leaf = await createSelfSigned('printed')
  const { certificate: cert, key } = leaf
  const sha256 = sha256Thumbprint(cert)
  const { X509Certificate } = await import('node:crypto')
  const sha1 = new X509Certificate(cert).fingerprint
  const other = 'AB'.repeat(32)
  const userName = `${server.address}/printed/?api-version=2021-04-12`
  for (const x509Thumbprint of [
    { primaryThumbprint: sha256 },
    { primaryThumbprint: sha1 },
    { primaryThumbprint: other, secondaryThumbprint: sha256 },
  ]) {
    await askHub(server, 'DELETE', '/devices/printed')
    await askHub(server, 'PUT', '/devices/printed', { authentication: { type: 'selfSigned', x509Thumbprint } })
    assert.equal(await connackOf('printed', userName, undefined, { cert, key }), 0)
    assert.equal(await connackOf('printed', userName, undefined), 5)
  }
  await askHub(server, 'DELETE', '/devices/printed')
  const x509Thumbprint = { primaryThumbprint: other }
  await askHub(server, 'PUT', '/devices/printed', { authentication: { type: 'selfSigned', x509Thumbprint } })
  assert.equal(await connackOf('printed', userName, undefined, { cert, key }), 5)
})

test('$edgeHub of an edge device connects with the credential of the device, and other modules with their own', async () => {
  const answer = await askHub(server, 'PUT', '/devices/edge', { capabilities: { iotEdge: true } })
  const key = Key.stored(String(member(answer.json(), 'authentication', 'symmetricKey', 'primaryKey')))
  const camera = await askHub(server, 'PUT', '/devices/edge/modules/camera', {})
  const own = Key.stored(String(member(camera.json(), 'authentication', 'symmetricKey', 'primaryKey')))
  const as = (moduleId: string, password: string) =>
    connackOf(`edge/${moduleId}`, `${server.address}/edge/${moduleId}/?api-version=2018-06-30`, password)
  assert.equal(await as('$edgeHub', token(key, 'edge/modules/$edgeHub')), 0)
  assert.equal(await as('$edgeHub', token(key, 'edge')), 0)
  assert.equal(await as('camera', token(own, 'edge/modules/camera')), 0)
  assert.equal(await as('camera', token(key, 'edge/modules/camera')), 5)
  await askHub(server, 'PUT', '/devices/edge', { status: 'disabled' }, { 'if-match': '*' })
  assert.equal(await as('camera', token(own, 'edge/modules/camera')), 5)
})

test('a connection ends when its token expires', async () => {
  const key = keyIn(await createDevice(server, 'expiring'))
  await using connection = await open('expiring', token(key, 'expiring', 2))
  await connection.closed(4000)
})

test('a second connection of a client ends the first', async () => {
  const key = keyIn(await createDevice(server, 'twice'))
  await using first = await open('twice', token(key, 'twice'))
  await using second = await open('twice', token(key, 'twice'))
  await first.closed()
  second.send({ cmd: 'pingreq' })
  await second.receive('pingresp')
})

test('a connection ends when its device is disabled, is given other keys, or is deleted', async () => {
  const put = { 'if-match': '*' }
  for (const change of [
    () => askHub(server, 'PUT', '/devices/cut', { status: 'disabled' }, put),
    () => askHub(server, 'PUT', '/devices/cut', otherKey, put),
    () => askHub(server, 'DELETE', '/devices/cut'),
  ]) {
    await askHub(server, 'DELETE', '/devices/cut')
    const key = keyIn(await createDevice(server, 'cut'))
    await using connection = await open('cut', token(key, 'cut'))
    assert.equal((await askHub(server, 'PUT', '/devices/cut', { statusReason: 'seen' }, put)).status, 200)
    connection.send({ cmd: 'pingreq' })
    await connection.receive('pingresp')
    await change()
    await connection.closed()
  }
})

test('a twin is read, and reported properties answered, by topics exact to the character', async () => {
  await using connection = await openTwin('exact')
  connection.send(publish('$iothub/twin/GET/?$rid=a%2F1', ' '))
  const twin = await connection.receive('publish')
  assert.equal(twin.topic, '$iothub/twin/res/200/?$rid=a%2F1')
  assert.deepEqual(JSON.parse(String(twin.payload)), { desired: { $version: 1 }, reported: { $version: 1 } })
  connection.send(publish('$iothub/twin/PATCH/properties/reported/?$rid=2', '{"a":{"b":1}}'))
  assert.equal((await connection.receive('publish')).topic, '$iothub/twin/res/204/?$rid=2&$version=2')
  connection.send(publish('$iothub/twin/PATCH/properties/reported/?$rid=3&$version=2', '{"a":null}'))
  assert.equal((await connection.receive('publish')).topic, '$iothub/twin/res/204/?$rid=3&$version=3')
})

test('a reported patch that breaks a rule is answered with the status and the error code, and changes nothing', async () => {
  await using connection = await openTwin('wrong')
  for (const [tail, body, status, code] of [
    ['', '{"a b":1}', 400, 400004],
    ['', '[1]', 400, 400004],
    ['', '{', 400, 400004],
    ['&$version=7', '{"a":1}', 412, 412001],
    [
      '',
      JSON.stringify(Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`k${n}`, 't'.repeat(4000)]))),
      413,
      413001,
    ],
  ] as const) {
    connection.send(publish(`$iothub/twin/PATCH/properties/reported/?$rid=1${tail}`, body))
    const answer = await connection.receive('publish')
    assert.equal(answer.topic, `$iothub/twin/res/${status}/?$rid=1`)
    const error: unknown = JSON.parse(String(answer.payload))
    assert.equal(member(error, 'errorCode'), code)
    assert.deepEqual(Object.keys(error as object), ['errorCode', 'trackingId', 'message', 'timestampUtc'])
  }
  const twin = await askHub(server, 'GET', '/twins/wrong')
  assert.equal(member(twin.json(), 'properties', 'reported', '$version'), 1)
})

test('a replaced twin tells the device what is gone, as nulls', async () => {
  await using connection = await openTwin('replaced')
  await askHub(server, 'PATCH', '/twins/replaced', { properties: { desired: { a: { b: 1, c: 2 }, d: 3 } } })
  const first = await connection.receive('publish')
  assert.equal(first.topic, '$iothub/twin/PATCH/properties/desired/?$version=2')
  await askHub(server, 'PUT', '/twins/replaced', { properties: { desired: { a: { c: 2 }, e: 4 } } })
  const change = JSON.parse(String((await connection.receive('publish')).payload)) as unknown
  assert.deepEqual(change, { d: null, a: { b: null }, e: 4, $version: 3 })
})

test('a message that was not acknowledged comes again to the same session, ten times, and not again when it was', async () => {
  const key = keyIn(await createDevice(server, 'again'))
  const password = token(key, 'again')
  {
    await using connection = await open('again', password, false)
    await subscribe(connection, 'devices/again/messages/devicebound/#', 1)
  }
  await askHub(server, 'POST', '/devices/again/messages/devicebound', 'm')
  for (let delivery = 1; delivery <= 9; delivery++) {
    await using connection = await openMqtt({ host: server.address, port: 8883, ca: server.ca })
    connection.send({ ...connectPacket('again', `${server.address}/again`, password), clean: false })
    assert.equal((await connection.receive('connack')).sessionPresent, true)
    const { topic, payload, qos } = await connection.receive('publish')
    assert.deepEqual([String(payload), qos], ['m', 1])
    assert.match(
      topic,
      /^devices\/again\/messages\/devicebound\/%24\.to=%2Fdevices%2Fagain%2Fmessages%2Fdevicebound&%24\.exp=/,
    )
  }
  {
    await using connection = await open('again', password, false)
    const { messageId = 0 } = await connection.receive('publish')
    connection.send({ cmd: 'puback', messageId })
    connection.send({ cmd: 'pingreq' })
    await connection.receive('pingresp')
  }
  await untilCount('again', 0)
  await askHub(server, 'POST', '/devices/again/messages/devicebound', 'lost')
  for (let delivery = 1; delivery <= 10; delivery++) {
    await using connection = await open('again', password, false)
    await connection.receive('publish')
  }
  await using connection = await open('again', password, false)
  await connection.silence(200)
})

test('messages wait in order, at most fifty, until they expire or are purged', async () => {
  const key = keyIn(await createDevice(server, 'queue'))
  const send = async (body: string, headers = {}) =>
    (await askHub(server, 'POST', '/devices/queue/messages/devicebound', body, headers)).status
  assert.equal(await send('late', { 'iothub-expiry': new Date(Date.now() - 1000).toISOString() }), 204)
  for (let n = 0; n < 50; n++) assert.equal(await send(String(n)), 204)
  assert.equal(await send('one too many'), 403)
  assert.equal(await send('x'.repeat(65_537)), 413)
  await using connection = await open('queue', token(key, 'queue'))
  await subscribe(connection, 'devices/queue/messages/devicebound/#', 1)
  for (let n = 0; n < 50; n++) assert.equal(String((await connection.receive('publish')).payload), String(n))
  const purged = await askHub(server, 'DELETE', '/devices/queue/commands')
  assert.equal(member(purged.json(), 'totalMessagesPurged'), 50)
  await untilCount('queue', 0)
})

test('telemetry is acknowledged, kept and read out with its properties, the will included', async () => {
  const key = keyIn(await createDevice(server, 'teller'))
  const will = {
    topic: 'devices/teller/messages/events/a=1',
    payload: Buffer.from('gone'),
    qos: 1,
    retain: false,
  } as const
  const connection = await openMqtt({ host: server.address, port: 8883, ca: server.ca })
  connection.send({ ...connectPacket('teller', `${server.address}/teller`, token(key, 'teller')), will })
  await connection.receive('connack')
  const topic = 'devices/teller/messages/events/%24.mid=7&flag&empty=&k%20x=v%26'
  connection.send({ ...publish(topic, Buffer.from([255, 0])), qos: 1, messageId: 9, retain: true })
  assert.equal((await connection.receive('puback')).messageId, 9)
  connection.drop()
  let messages = await telemetryOf(server, 'teller')
  while (messages.length < 2) messages = await telemetryOf(server, 'teller')
  const [first, last] = messages
  assert.deepEqual(first?.['systemProperties'], { '$.mid': '7' })
  assert.deepEqual(first?.['properties'], { flag: null, empty: '', 'k x': 'v&', 'mqtt-retain': 'true' })
  assert.equal(first?.['bodyBase64'], '/wA=')
  assert.equal(last?.['body'], 'gone')
  assert.equal(member(last?.['systemProperties'], 'iothub-MessageType'), 'Will')
  const next = await askHub(server, 'GET', `/devices/teller/messages/events?after=${String(first?.['position'])}&top=1`)
  assert.deepEqual(member(next.json(), 'messages'), [last])
})

test('foreign topics, QoS 2 and oversized messages end the connection, and foreign filters are refused', async () => {
  const key = keyIn(await createDevice(server, 'stray'))
  for (const packet of [
    publish('devices/other/messages/events/', 'x'),
    publish('$iothub/twin/GET/', 'x'),
    publish('$iothub/other/?$rid=1', 'x'),
    { ...publish('devices/stray/messages/events/', 'x'), qos: 2, messageId: 1 } as const,
    publish('devices/stray/messages/events/', Buffer.alloc(262_145)),
  ]) {
    await using connection = await open('stray', token(key, 'stray'))
    connection.send(packet)
    await connection.closed()
  }
  await using connection = await open('stray', token(key, 'stray'))
  const filters = ['devices/other/messages/devicebound/#', '#', '$iothub/twin/res/#', '$iothub/methods/POST/#']
  const subscriptions = filters.map((filter) => ({ topic: filter, qos: 2 as const }))
  connection.send({ cmd: 'subscribe', messageId: 1, subscriptions })
  assert.deepEqual((await connection.receive('suback')).granted, [0x80, 0x80, 1, 1])
})

test('a method waits for the device to connect, gives its answer, and gives up in time', async () => {
  const key = keyIn(await createDevice(server, 'method'))
  const path = '/twins/method/methods'
  const call = { methodName: 'go', payload: null, connectTimeoutInSeconds: 10, responseTimeoutInSeconds: 5 }
  const answer = askHub(server, 'POST', path, call)
  await using connection = await open('method', token(key, 'method'))
  await subscribe(connection, '$iothub/methods/POST/#', 0)
  const { topic, payload } = await connection.receive('publish')
  assert.equal(topic, '$iothub/methods/POST/go/?$rid=1')
  assert.equal(String(payload), 'null')
  connection.send(publish('$iothub/methods/res/200/?$rid=1', ''))
  assert.deepEqual((await answer).json(), { status: 200, payload: null })
  const left = askHub(server, 'POST', path, call)
  await connection.receive('publish')
  connection.drop()
  const gone = await left
  assert.equal(gone.status, 504)
  assert.match(gone.text, /504101/)
})

test('a module has a twin, a telemetry topic and desired changes of its own', async () => {
  const edge = await createDevice(server, 'parent')
  const module = await askHub(server, 'PUT', '/devices/parent/modules/m', {})
  const key = Key.stored(String(member(module.json(), 'authentication', 'symmetricKey', 'primaryKey')))
  await using connection = await open('parent/m', token(key, 'parent/modules/m'))
  await subscribe(connection, '$iothub/twin/PATCH/properties/desired/#', 0)
  await askHub(server, 'PATCH', '/twins/parent', { properties: { desired: { of: 'device' } } })
  await askHub(server, 'PATCH', '/twins/parent/modules/m', { properties: { desired: { of: 'module' } } })
  assert.deepEqual(JSON.parse(String((await connection.receive('publish')).payload)), { of: 'module', $version: 2 })
  const topic = 'devices/parent/modules/m/messages/events/%24.on=out'
  connection.send({ ...publish(topic, '1'), qos: 1, messageId: 2 })
  await connection.receive('puback')
  const [message] = await telemetryOf(server, 'parent')
  assert.deepEqual(
    [message?.['moduleId'], message?.['body'], message?.['systemProperties']],
    ['m', 1, { '$.on': 'out' }],
  )
  await using device = await open('parent', token(keyIn(edge), 'parent'))
  await askHub(server, 'PUT', '/devices/parent', { status: 'disabled' }, { 'if-match': '*' })
  await Promise.all([connection.closed(), device.closed()])
})

test('the model that a device names when it connects stands in its twin', async () => {
  const key = keyIn(await createDevice(server, 'modelled'))
  const tail = '?api-version=2020-09-30&model-id=dtmi%3Acom%3Aexample%3AThermostat%3B1'
  assert.equal(await connackOf('modelled', `${server.address}/modelled/${tail}`, token(key, 'modelled')), 0)
  for (const end = Date.now() + 5000; Date.now() < end;) {
    const twin = await askHub(server, 'GET', '/twins/modelled')
    if (member(twin.json(), 'modelId') === 'dtmi:com:example:Thermostat;1') return
  }
  assert.fail('the twin does not get the model')
})

test('a kept session has what it subscribed to and no longer what it gave up, until a clean one', async () => {
  const key = keyIn(await createDevice(server, 'kept'))
  const password = token(key, 'kept')
  const desired = '$iothub/twin/PATCH/properties/desired/#'
  const change = (n: number) => askHub(server, 'PATCH', '/twins/kept', { properties: { desired: { n } } })
  const present = async (clean: boolean): Promise<[boolean | undefined, MqttConnection]> => {
    const connection = await openMqtt({ host: server.address, port: 8883, ca: server.ca })
    connection.send({ ...connectPacket('kept', `${server.address}/kept`, password), clean })
    return [(await connection.receive('connack')).sessionPresent, connection]
  }
  {
    const [wasPresent, connection] = await present(false)
    assert.equal(wasPresent, false)
    await subscribe(connection, desired, 0)
    await subscribe(connection, '$iothub/methods/POST/#', 0)
    connection.drop()
  }
  {
    const [wasPresent, connection] = await present(false)
    assert.equal(wasPresent, true)
    await change(1)
    await connection.receive('publish')
    connection.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: [desired] })
    await connection.receive('unsuback')
    await change(2)
    await connection.silence(100)
    connection.drop()
  }
  for (const clean of [true, false]) {
    const [wasPresent, connection] = await present(clean)
    assert.equal(wasPresent, false)
    await change(3)
    await connection.silence(100)
    connection.drop()
  }
})

const otherKey = { authentication: { type: 'sas', symmetricKey: { primaryKey: Key.generate().reveal() } } }

function keyIn(connectionString: string): Key {
  return Key.stored(/SharedAccessKey=(.*)$/.exec(connectionString)?.[1] ?? '')
}

function token(key: Key, path: string, seconds = 3600): string {
  return signSasToken(`${server.address}/devices/${path}`, key, Math.floor(Date.now() / 1000) + seconds)
}

function policyToken(policy: string): string {
  const key = keyIn(server.hub.connectionString(server.address, policy))
  return signSasToken(server.address, key, Math.floor(Date.now() / 1000) + 3600, policy)
}

async function connackOf(
  clientId: string,
  userName: string,
  password: string | undefined,
  certificate: { cert?: string; key?: string } = {},
): Promise<number | undefined> {
  await using connection = await openMqtt({ host: server.address, port: 8883, ca: server.ca, ...certificate })
  connection.send(connectPacket(clientId, userName, password))
  const { returnCode } = await connection.receive('connack')
  if (returnCode !== 0) await connection.closed()
  return returnCode
}

async function open(clientId: string, password: string, clean = true): Promise<MqttConnection> {
  const connection = await openMqtt({ host: server.address, port: 8883, ca: server.ca })
  connection.send({ ...connectPacket(clientId, `${server.address}/${clientId}`, password), clean })
  assert.equal((await connection.receive('connack')).returnCode, 0)
  return connection
}

async function openTwin(deviceId: string): Promise<MqttConnection> {
  const key = keyIn(await createDevice(server, deviceId))
  const connection = await open(deviceId, token(key, deviceId))
  await subscribe(connection, '$iothub/twin/res/#', 0)
  await subscribe(connection, '$iothub/twin/PATCH/properties/desired/#', 0)
  return connection
}

async function subscribe(connection: MqttConnection, topic: string, qos: 0 | 1): Promise<void> {
  connection.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] })
  assert.deepEqual((await connection.receive('suback')).granted, [qos])
}

function publish(topic: string, payload: string | Buffer) {
  return { cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false } as const
}

/** The hub counts a message as gone a moment after its acknowledgement. */
async function untilCount(deviceId: string, count: number): Promise<void> {
  for (const end = Date.now() + 5000; Date.now() < end;) {
    const device = await askHub(server, 'GET', `/devices/${deviceId}`)
    if (member(device.json(), 'cloudToDeviceMessageCount') === count) return
  }
  assert.fail(`${deviceId} does not come to ${count} messages`)
}
