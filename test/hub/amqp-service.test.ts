import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { signSasToken } from '../../src/wire/sas-token.ts'
import { Key } from '../../src/bundled-hub/key.ts'
import { member } from './member.ts'
import { startSdk } from './sdk-process.ts'
import { type HubServer, serveHub } from './server.ts'
import { askHub, createDevice } from './service-api.ts'

let server: HubServer
let owner: string

before(async () => {
  server = await serveHub('127.20.7.1')
  owner = server.hub.connectionString(server.address)
})

after(async () => {
  assert.deepEqual(server.faults, [])
  await server[Symbol.asyncDispose]()
})

for (const webSocket of [false, true])
  test(`a Node service sends to a device over ${webSocket ? 'AMQP/WS' : 'AMQP'} and hears that it was accepted, and rejected`, async () => {
    const deviceId = `told-${webSocket}`
    const connectionString = await createDevice(server, deviceId)
    await using service = await startSdk('node-service.mjs', server.caFile)
    await service.ask('open', owner)
    if (webSocket) await service.ask('useWebSockets', owner)
    await service.ask('feedback')
    await service.ask('fileNotifications')
    await using device = await startSdk('node-device.mjs', server.caFile)
    await device.ask('connect', { connectionString, transport: 'amqp' })
    await device.ask('listen', { settle: ['abandon', 'complete', 'reject'] })

    await service.ask('send', {
      deviceId,
      body: 'one',
      messageId: 'm-1',
      ack: 'full',
      properties: { colour: 'dark red' },
    })
    const first = await device.event('message')
    assert.equal(member(first, 'body'), 'one')
    assert.equal(member(first, 'messageId'), 'm-1')
    assert.match(JSON.stringify(first), /"colour","dark red"/)
    assert.equal(member(await device.event('message'), 'messageId'), 'm-1', 'what is abandoned comes again')
    const accepted = await service.event('feedback')
    assert.equal(member(accepted, 'originalMessageId'), 'm-1')
    assert.equal(member(accepted, 'description'), 'Success')
    assert.equal(member(accepted, 'deviceId'), deviceId)

    await service.ask('send', { deviceId, body: 'two', messageId: 'm-2', ack: 'negative' })
    const rejected = await service.event('feedback')
    assert.equal(member(rejected, 'originalMessageId'), 'm-2')
    assert.equal(member(rejected, 'description'), 'Rejected')
    assert.equal(member((await askHub(server, 'GET', `/devices/${deviceId}`)).json(), 'cloudToDeviceMessageCount'), 0)
  })

test('a Node device takes messages over HTTPS, gives one back, and the service hears how each was settled', async () => {
  const connectionString = await createDevice(server, 'poller')
  await using service = await startSdk('node-service.mjs', server.caFile)
  await service.ask('open', owner)
  await service.ask('feedback')
  await using device = await startSdk('node-device.mjs', server.caFile)
  await device.ask('connect', { connectionString, transport: 'http' })
  await device.ask('poll', { settle: ['abandon', 'complete', 'reject'] })
  const properties = { colour: 'dark red' }
  await service.ask('send', { deviceId: 'poller', body: 'one', messageId: 'h-1', ack: 'full', properties })
  const first = await device.event('message')
  assert.equal(member(first, 'body'), 'one')
  assert.match(JSON.stringify(first), /"iothub-app-colour","dark red"/, 'the SDK keeps the name of the header')
  assert.equal(member(await device.event('message'), 'messageId'), 'h-1', 'what is abandoned comes again')
  assert.equal(member(await service.event('feedback'), 'description'), 'Success')
  await service.ask('send', { deviceId: 'poller', body: 'two', messageId: 'h-2', ack: 'full' })
  assert.equal(member(await service.event('feedback'), 'description'), 'Rejected')
})

test('a service hears of a message that expired, and one without ack is not told of', async () => {
  await createDevice(server, 'away')
  await using service = await startSdk('node-service.mjs', server.caFile)
  await service.ask('open', owner)
  await service.ask('feedback')
  const expiryTimeUtc = Date.now() + 300
  await service.ask('send', { deviceId: 'away', body: 'silent', messageId: 'm-3', expiryTimeUtc })
  await service.ask('send', { deviceId: 'away', body: 'late', messageId: 'm-4', ack: 'full', expiryTimeUtc })
  const record = await service.event('feedback')
  assert.equal(member(record, 'originalMessageId'), 'm-4')
  assert.equal(member(record, 'description'), 'Expired')
})

test('a service is told that there is no such device and that its policy may not send', async () => {
  await using service = await startSdk('node-service.mjs', server.caFile)
  await service.ask('open', owner)
  await assert.rejects(service.ask('send', { deviceId: 'nobody', body: 'x' }), /DeviceNotFoundError/)
  await using reader = await startSdk('node-service.mjs', server.caFile)
  await reader.ask('open', server.hub.connectionString(server.address, 'registryRead'))
  await assert.rejects(reader.ask('send', { deviceId: 'nobody', body: 'x' }), /Unauthorized/)
})

for (const webSocket of [false, true])
  test(`the Event Hubs SDK for Node finds its endpoint by the redirect and reads events over ${webSocket ? 'AMQP/WS' : 'AMQP'}`, async () => {
    const deviceId = `teller-${webSocket}`
    const connectionString = await createDevice(server, deviceId)
    await using device = await startSdk('node-device.mjs', server.caFile)
    await device.ask('connect', { connectionString, transport: 'mqtt' })
    await device.ask('send', { body: '{"t":1}', properties: { hot: 'yes' }, messageId: 'm-5' })

    await using events = await startSdk('node-events.mjs', server.caFile)
    const token = ownerToken()
    assert.deepEqual(await events.ask('open', { connectionString: owner, token, webSocket }), {
      hostname: server.address,
      entity: '127-20-7-1',
    })
    const { hub, partition } = (await events.ask('properties')) as Record<string, Record<string, unknown>>
    assert.deepEqual(hub?.['partitionIds'], ['0'])
    assert.equal(partition?.['isEmpty'], false)

    await events.ask('subscribe', { offset: '-1' })
    let event: unknown
    do event = await events.event('event')
    while (member(event, 'systemProperties', 'iothub-connection-device-id') !== deviceId)
    assert.deepEqual(member(event, 'body'), { t: 1 })
    assert.deepEqual(member(event, 'properties'), { hot: 'yes' })
    await device.ask('send', { body: '{"t":2}' })
    assert.deepEqual(member(await events.event('event'), 'body'), { t: 2 }, 'what comes later is given, too')
    await events.ask('close')
  })

test('events are read from a moment, from the next one on, and however large they are', async () => {
  const connectionString = await createDevice(server, 'loud')
  await using device = await startSdk('node-device.mjs', server.caFile)
  await device.ask('connect', { connectionString, transport: 'amqp' })
  await device.ask('send', { body: '"before"' })
  const since = Date.now()
  const large = 'x'.repeat(250_000)
  for (let sent = 0; sent < 12; sent++) await device.ask('send', { body: JSON.stringify(`${sent} ${large}`) })
  await using events = await startSdk('node-events.mjs', server.caFile)
  await events.ask('open', { connectionString: owner, token: ownerToken() })
  await events.ask('subscribe', { enqueuedOn: since })
  for (let read = 0; read < 12; read++)
    assert.equal(String(member(await events.event('event'), 'body')).split(' ', 1)[0], String(read))
  await using latest = await startSdk('node-events.mjs', server.caFile)
  await latest.ask('open', { connectionString: owner, token: ownerToken() })
  await latest.ask('subscribe', { offset: '@latest' })
  await new Promise((resolve) => setTimeout(resolve, 1000))
  await device.ask('send', { body: '"after"' })
  assert.equal(member(await latest.event('event'), 'body'), 'after')
})

test('the Event Hubs SDK for Python reads events', async () => {
  const connectionString = await createDevice(server, 'snake')
  await using device = await startSdk('node-device.mjs', server.caFile)
  await device.ask('connect', { connectionString, transport: 'mqtt' })
  await device.ask('send', { body: '"from afar"', properties: { hot: 'yes' } })
  await using events = await startSdk('python-events.py', server.caFile)
  const [, name, key] = /SharedAccessKeyName=(.*?);SharedAccessKey=(.*)$/.exec(owner) ?? []
  const eventHub = `EntityPath=127-20-7-1;SharedAccessKeyName=${name};SharedAccessKey=${key}`
  await events.ask('open', `Endpoint=sb://${server.address}/;${eventHub}`)
  assert.deepEqual(await events.ask('partitions'), ['0'])
  await events.ask('subscribe', '-1')
  let event: unknown
  do event = await events.event('event')
  while (member(event, 'system', 'iothub-connection-device-id') !== 'snake')
  assert.equal(member(event, 'body'), '"from afar"')
  assert.deepEqual(member(event, 'properties'), { hot: 'yes' })
})

function ownerToken(): string {
  const key = Key.stored(/SharedAccessKey=(.*)$/.exec(owner)?.[1] ?? '')
  return signSasToken(server.address, key, Math.floor(Date.now() / 1000) + 3600, 'iothubowner')
}
