import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import type { EventContext } from 'rhea'
import { createSelfSigned } from '../fixtures/certificates.ts'
import { startService } from '../fixtures/service.ts'
import {
  apiVersion,
  ask,
  attach,
  described,
  frame,
  header,
  nothing,
  openAmqp,
  openRaw,
  plain,
  poll,
  register,
  symbol,
  text,
  uint,
  untilClosed,
  zero,
} from './amqp-client.ts'
import { assertAssigned, assertErrorBody, deviceWithKey, enrollDevice, readBody } from './device.ts'
import { serviceUnderTest } from './subject.ts'

const service = await serviceUnderTest('127.30.40')

for (const [spelling, address] of [
  ['bare, as Node and C# do', (resource: string) => resource],
  ['behind a slash, as Java does', (resource: string) => `/${resource}`],
  ['behind the host, as C does', (resource: string) => `amqps://${service.deviceHost}/${resource}`],
  ['behind host and port', (resource: string) => `amqps://${service.deviceHost}:5671/${resource}`],
] as const)
  test(`a device that spells its address ${spelling} is assigned`, async () => {
    const device = await enrollDevice(service, `spelt-${spelling.replaceAll(/\W/g, '')}`)
    const connection = openAmqp(service, plain(device))
    const answer = await ask(await attach(connection, address(device.resource)), register, '{}')
    assert.equal(answer.is, 'answered')
    assertAssigned(answer.body, device.registrationId)
    connection.close()
  })

test('a device with the longest ID is let in, though its token makes a SASL frame of more than 512 bytes', async () => {
  const device = await enrollDevice(service, `longest${':'.repeat(120)}x`)
  assert.ok(device.resource.length + device.token().length > 512)
  const connection = openAmqp(service, plain(device))
  const { body } = await ask(await attach(connection, device.resource), register, '{}')
  assertAssigned(body, device.registrationId)
  connection.close()
})

test('OPEN is answered with the figures of the real service', async () => {
  const device = await enrollDevice(service, 'opening')
  const connection = openAmqp(service, plain(device))
  await once(connection, 'connection_open')
  assert.match(String(connection.container_id), /^IoTDPSGW_[0-9a-f]{32}$/)
  const { max_frame_size, channel_max, idle_time_out } = connection
  assert.deepEqual([max_frame_size, channel_max, idle_time_out], [65536, 8191, 240000])
  connection.close()
  await once(connection, 'connection_close')
})

test('while it is assigning, a device is told when to come back in both spellings', async () => {
  await using patient = await startService({ network: '127.40.12', args: ['--short-wait', '0'] })
  const device = await enrollDevice(patient, 'waiting')
  const connection = openAmqp(patient, plain(device))
  const links = await attach(connection, device.resource)
  const first = await ask(links, register, '{}')
  assert.equal(first.is, 'answered')
  assert.equal(first.body['status'], 'assigning')
  assert.deepEqual(first.message.application_properties, { 'retry-after': 3, 'Retry-After': 3 })
  let last = await ask(links, poll(first.body['operationId']))
  while (last.body['status'] === 'assigning') last = await ask(links, poll(first.body['operationId']))
  assert.equal(last.body['status'], 'assigned')
  assert.ok(last.is === 'answered' && last.message.application_properties === undefined)
  connection.close()
})

test('a device without api-version is served, and one with a malformed one is refused', async () => {
  const device = await enrollDevice(service, 'versionless')
  const connection = openAmqp(service, plain(device))
  const answer = await ask(await attach(connection, device.resource, {}), register, '{}')
  assertAssigned(answer.body, device.registrationId)
  const odd = openAmqp(service, plain(device))
  const refused = await ask(await attach(odd, device.resource, { 'com.microsoft:api-version': 'soon' }), register, '{}')
  assert.equal(refused.is, 'rejected')
  assertErrorBody(refused.body, 400000)
  connection.close()
  odd.close()
})

test('requests that cannot be served are rejected with a condition and the error object, and the connection lives', async () => {
  const device = await enrollDevice(service, 'clumsy')
  const connection = openAmqp(service, plain(device))
  const links = await attach(connection, device.resource)
  for (const [operation, body, condition, errorCode] of [
    [register, '{"registrationId":', 'amqp:invalid-field', 400000],
    [register, '[]', 'amqp:invalid-field', 400000],
    [register, '{"registrationId":"somebody-else"}', 'amqp:invalid-field', 400000],
    [poll('5.0000000000000000.00000000-0000-0000-0000-000000000000'), undefined, 'amqp:not-found', 404202],
    [poll(''), undefined, 'amqp:not-found', 404202],
    [{ 'iotdps-operation-type': 'iotdps-dance' }, undefined, 'amqp:not-found', 404000],
    [{}, undefined, 'amqp:not-found', 404000],
  ] as const) {
    const answer = await ask(links, operation, body)
    assert.equal(answer.is, 'rejected')
    assert.equal(answer.condition, condition)
    assertErrorBody(answer.body, errorCode)
  }
  const { body } = await ask(links, register, '')
  assertAssigned(body, device.registrationId)
  connection.close()
})

test('an operation is answered to the device that began it and to nobody else', async () => {
  const [owner, stranger] = [await enrollDevice(service, 'owner'), await enrollDevice(service, 'stranger')]
  const [mine, theirs] = [openAmqp(service, plain(owner)), openAmqp(service, plain(stranger))]
  const { body } = await ask(await attach(mine, owner.resource), register, '{}')
  const answer = await ask(await attach(theirs, stranger.resource), poll(body['operationId']))
  assert.equal(answer.is, 'rejected')
  assertErrorBody(answer.body, 404202)
  mine.close()
  theirs.close()
})

test('a link to an address that is not the client’s own closes the connection, whichever end it is of', async () => {
  const device = await enrollDevice(service, 'insider')
  const victim = await enrollDevice(service, 'victim')
  for (const [address, condition] of [
    [victim.resource, 'amqp:unauthorized-access'],
    [device.resource.replace(service.idScope, '0ne00000000'), 'amqp:unauthorized-access'],
    [`${device.resource}/more`, 'amqp:not-found'],
    ['$cbs', 'amqp:not-found'],
    ['', 'amqp:not-found'],
  ] as const) {
    for (const link of ['receiver', 'sender'] as const) {
      const connection = openAmqp(service, plain(device))
      await attach(connection, device.resource)
      if (link === 'receiver') connection.open_receiver({ source: address })
      else connection.open_sender({ target: address })
      const [{ error }] = (await once(connection, 'connection_error')) as [EventContext]
      assert.ok(error && 'condition' in error)
      assert.equal(error.condition, condition)
      readBody(Buffer.from(String(error.description)))
    }
  }
})

test('a refusal has one line in the log and one tracking ID, however many links it is of', async () => {
  const leaf = await createSelfSigned('told-once')
  const socket = await openRaw(service, { cert: leaf.certificate, key: leaf.key })
  const terminus = (code: number) => described(code, [text(`${service.idScope}/registrations/not-told-once`)])
  const link = (name: string, handle: Buffer, role: number) =>
    frame(0x12, [text(name), handle, Buffer.from([role]), nothing, nothing, terminus(0x28), terminus(0x29)])
  const open = [frame(0x10, [text('java')]), frame(0x11, [nothing, zero, uint(100), uint(100)])]
  socket.write(Buffer.concat([header.amqp, ...open, link('receiver', zero, 0x41), link('sender', uint(1), 0x42)]))
  const answer = (await untilClosed(socket)).toString('latin1')
  const trackingIds = new Set(answer.match(/"trackingId":"[0-9a-f-]{36}"/g))
  assert.equal(trackingIds.size, 1, 'END and CLOSE name the same')
  const [trackingId] = /[0-9a-f-]{36}/.exec([...trackingIds][0] ?? '') ?? []
  await service.logged(new RegExp(`refused not-told-once .*CertificateCommonNameMismatch.*${trackingId}`))
  assert.equal(service.log().match(/refused not-told-once/g)?.length, 1)
})

test('an answer that repeats more than the client takes in a frame ends the connection with its condition', async () => {
  const device = await enrollDevice(service, 'narrow')
  const connection = openAmqp(service, { ...plain(device), max_frame_size: 512 })
  connection.open_receiver({ source: device.resource, name: 'x'.repeat(600) })
  const [{ error }] = (await once(connection, 'connection_error')) as [EventContext]
  assert.equal((error as { condition: string }).condition, 'amqp:frame-size-too-small')
  const modest = openAmqp(service, { ...plain(device), max_frame_size: 512 })
  assertAssigned((await ask(await attach(modest, device.resource), register, '{}')).body, device.registrationId)
  modest.close()
})

test('whoever cannot authenticate gets SASL outcome 1', async () => {
  const device = await enrollDevice(service, 'locked')
  const wrong = deviceWithKey(service, 'locked', Buffer.alloc(64).toString('base64'))
  for (const credentials of [
    plain(wrong),
    { ...plain(device), username: device.resource.replace('locked', 'nobody') },
    { ...plain(device), username: device.resource.replace(service.idScope, '0neFFFFFFFF') },
    { ...plain(device), username: 'no resource' },
    { ...plain(device), password: 'no token' },
    { username: device.resource, password: device.token({ expiry: 1 }) },
  ]) {
    const connection = openAmqp(service, credentials)
    const [{ error }] = (await once(connection, 'connection_error')) as [EventContext]
    assert.match(String((error as Error).message), /Failed to authenticate: 1$/)
  }
})

test('TPM, PLAIN and EXTERNAL are offered in that order, and ANONYMOUS is not accepted', async () => {
  const socket = await openRaw(service)
  socket.write(Buffer.concat([header.sasl, frame(0x41, [symbol('ANONYMOUS')], { type: 1 })]))
  const answer = await untilClosed(socket)
  assert.deepEqual(answer.subarray(0, 8), header.sasl)
  assert.ok(answer.includes('\x03TPM\x05PLAIN\x08EXTERNAL'))
  assert.equal(answer.at(-1), 1, 'the outcome')
})

test('a certificate is enough without SASL, and through EXTERNAL; its common name is the only address it has', async () => {
  const leaf = await createSelfSigned('certified')
  const certificates = { primary: { certificate: leaf.certificate } }
  const attestation = { type: 'x509', x509: { clientCertificates: certificates } }
  await service.operate('PUT', '/enrollments/certified', { registrationId: 'certified', attestation })
  const resource = `${service.idScope}/registrations/certified`
  const presented = { cert: leaf.chain, key: leaf.key }
  for (const options of [presented, { ...presented, enable_sasl_external: true }]) {
    const connection = openAmqp(service, options)
    const answer = await ask(await attach(connection, resource), register, '{}')
    assert.equal(answer.is, 'answered')
    assert.equal(answer.body['status'], 'assigned')
    connection.close()
  }
  const foreign = openAmqp(service, presented)
  foreign.open_receiver({ source: `${service.idScope}/registrations/owner` })
  const [{ error }] = (await once(foreign, 'connection_error')) as [EventContext]
  assert.equal((error as { condition: string }).condition, 'amqp:unauthorized-access')
})

test('without SASL and without certificate, OPEN is answered with open-error and CLOSE', async () => {
  const connection = openAmqp(service)
  const [{ error }] = (await once(connection, 'connection_error')) as [EventContext]
  const { condition, description } = error as { condition: string; description: string }
  assert.equal(condition, 'amqp:unauthorized-access')
  assertErrorBody(readBody(Buffer.from(description)), 401002)
  assert.equal(connection.properties?.['com.microsoft:open-error'], 'amqp:unauthorized-access')
})

test('a client that waits for nothing and settles nothing, like Java, gets every answer', async () => {
  const device = await enrollDevice(service, 'hasty')
  const socket = await openRaw(service)
  const login = Buffer.from(`\0${device.resource}\0${device.token()}`)
  const init = Buffer.concat([Buffer.from([0xb0, 0, 0, login.length >> 8, login.length & 255]), login])
  const terminus = (code: number) => described(code, [text(`/${device.resource}`)])
  const link = (name: string, handle: Buffer, role: number) => {
    const ends = [terminus(0x28), terminus(0x29)]
    return frame(0x12, [text(name), handle, Buffer.from([role]), nothing, nothing, ...ends])
  }
  const flow = frame(0x13, [zero, uint(100), zero, uint(100), zero, zero, uint(50)])
  const properties = Buffer.from('005374c1', 'hex')
  const entries = Buffer.concat([text('iotdps-operation-type'), text('iotdps-register')])
  const payload = Buffer.concat([
    properties,
    Buffer.from([entries.length + 1, 2]),
    entries,
    Buffer.from('005375a0027b7d', 'hex'),
  ])
  const send = (id: number) => frame(0x14, [uint(1), uint(id), text('t', 0xa0), zero], { payload })
  socket.write(
    Buffer.concat([
      header.sasl,
      frame(0x41, [symbol('PLAIN'), init], { type: 1 }),
      header.amqp,
      frame(0x10, [text('java'), text(`${service.deviceHost}:5671`)]),
      frame(0x11, [nothing, zero, uint(100), uint(100)]),
      link('provision_receiver_link', zero, 0x41),
      link('provision_sender_link', uint(1), 0x42),
      flow,
      ...[0, 1, 2, 3, 4].map(send),
    ]),
  )
  let received = ''
  socket.on('data', (part: Buffer) => {
    received += part.toString('latin1')
    if (received.match(/"status":"assigned","substatus"/g)?.length === 5) socket.destroy()
  })
  await once(socket, 'close')
  assert.equal(received.match(/\0S\x24\x45/g)?.length, 5, 'each request is accepted')
  assert.ok(received.indexOf('\0S\x24\x45') < received.indexOf('"status":"assigned"'), 'before it is answered')
})

test('links with the api-version of another SDK are served as that SDK is', async () => {
  const device = await enrollDevice(service, 'modern')
  const connection = openAmqp(service, plain(device))
  const version = {
    ...apiVersion,
    'com.microsoft:api-version': '2021-06-01',
    'com.microsoft:client-version': 'prov_device/1.0',
  }
  const links = await attach(connection, device.resource, version)
  await ask(links, register, '{}')
  const { body } = await ask(links, register, '{}')
  assert.equal((body['registrationState'] as { substatus: string }).substatus, 'reprovisionedToInitialAssignment')
  await service.logged(/modern/)
  connection.close()
})
