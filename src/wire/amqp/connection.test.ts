import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import rhea, { type Connection, type EventContext } from 'rhea'
import { int } from './encoding.ts'
import type { AmqpMessage } from './message.ts'
import type { AmqpLink } from './service.ts'
import { address, dial, serve } from './stub-service.ts'

test('a client with SASL PLAIN asks on one link and is answered on the other, accepted first, its correlation ID echoed', async () => {
  const asked: AmqpMessage[] = []
  const port = await serve({
    request: async (message) => {
      asked.push(message)
      const retry = ['retry-after', int(3)] as const
      return { reply: { applicationProperties: [retry], body: '{"status":"assigning"}' } }
    },
  })
  const client = dial(port, { username: address, password: 'SharedAccessSignature sr=x' })
  const receiver = client.open_receiver({ source: address })
  await once(receiver, 'receiver_open')
  const sender = client.open_sender({ target: address })
  await once(sender, 'sendable')
  const order: string[] = []
  const accepted = once(sender, 'accepted').then(() => (order.push('accepted'), Date.now()))
  const replied = once(receiver, 'message').then(([context]) => (order.push('reply'), context as EventContext))
  const correlation_id = rhea.generate_uuid()
  sender.send({
    correlation_id,
    application_properties: { 'iotdps-operation-type': 'iotdps-register', 'iotdps-forceRegistration': false },
    body: rhea.message.data_section(Buffer.from('{"registrationId":"dev-01"}')),
  })
  const acceptedAt = await accepted
  const { message } = await replied
  assert.deepEqual(order, ['accepted', 'reply'])
  assert.ok(Date.now() - acceptedAt >= 45, 'the reply keeps its distance')
  assert.equal(message?.correlation_id, correlation_id)
  assert.equal(message?.application_properties?.['retry-after'], 3)
  assert.equal(message?.body.typecode, 0x75)
  assert.equal(message?.body.content.toString(), '{"status":"assigning"}')
  assert.equal(asked[0]?.applicationProperties.get('iotdps-operation-type'), 'iotdps-register')
  assert.equal(asked[0]?.applicationProperties.get('iotdps-forceRegistration'), false)
  assert.equal(asked[0]?.body.toString(), '{"registrationId":"dev-01"}')
})

for (const [what, correlationId] of [
  ['ulong', rhea.types.wrap_ulong(7)],
  ['uuid', rhea.types.wrap_uuid(Buffer.alloc(16, 5))],
  ['binary', Buffer.from('abc')],
  ['string', 'text'],
] as const)
  test(`a correlation ID of type ${what} comes back with its type`, async () => {
    const port = await serve({})
    const { sender, receiver } = await links(dial(port))
    const reply = once(receiver, 'message')
    sender.send({ correlation_id: correlationId, body: rhea.message.data_section(Buffer.from('{}')) })
    const [{ message }] = (await reply) as [EventContext]
    const expected: unknown = rhea.message.decode(rhea.message.encode({ correlation_id: correlationId }))[
      'correlation_id'
    ]
    assert.deepEqual(message?.correlation_id, expected)
  })

test('a request without correlation ID gets a reply without one', async () => {
  const { sender, receiver } = await links(dial(await serve({})))
  const reply = once(receiver, 'message')
  sender.send({ body: '' })
  const [{ message }] = (await reply) as [EventContext]
  assert.equal(message?.correlation_id, undefined)
})

test('a refused request is settled as rejected, with condition, description and info', async () => {
  const rejected = {
    condition: 'amqp:not-found',
    description: '{"errorCode":404201}',
    info: [['retry-after', int(5)]],
  } as const
  const { sender } = await links(dial(await serve({ request: async () => ({ rejected }) })))
  sender.send({ body: 'x' })
  const [{ delivery }] = (await once(sender, 'rejected')) as [EventContext]
  const { condition, description, info } = (delivery!.remote_state as { error: Record<string, unknown> }).error
  assert.deepEqual({ condition, description, info }, { ...rejected, info: { 'retry-after': 5 } })
})

test('a reply waits for credit', async () => {
  const client = dial(await serve({ replyDelay: 0 }))
  const receiver = client.open_receiver({ source: address, credit_window: 0 })
  const sender = client.open_sender({ target: address })
  await once(sender, 'sendable')
  let received = 0
  receiver.on('message', () => received++)
  sender.send({ body: 'x' })
  await once(sender, 'accepted')
  await roundTrip(sender)
  assert.equal(received, 0)
  receiver.add_credit(1)
  await once(receiver, 'message')
  receiver.add_credit(1)
  await once(receiver, 'message')
})

test('a reply waits for the link that it is to be sent on', async () => {
  const client = dial(await serve({ replyDelay: 0 }))
  const sender = client.open_sender({ target: address })
  await once(sender, 'sendable')
  sender.send({ body: 'x' })
  await once(sender, 'accepted')
  await roundTrip(sender)
  await once(client.open_receiver({ source: address }), 'message')
})

test('a long reply is cut to the frames that the client reads', async () => {
  const body = JSON.stringify({ text: 'x'.repeat(5000) })
  const port = await serve({ request: async () => ({ reply: { applicationProperties: [], body } }) })
  const { sender, receiver } = await links(dial(port, { max_frame_size: 512 }))
  const reply = once(receiver, 'message')
  sender.send({ body: 'x' })
  const [{ message }] = (await reply) as [EventContext]
  assert.equal(message?.body.content.toString(), body)
})

test('more requests than one grant of credit are all answered on one connection', async () => {
  const { sender, receiver } = await links(dial(await serve({ replyDelay: 1 })))
  for (let sent = 0; sent < 100; sent++) {
    const reply = once(receiver, 'message')
    sender.send({ body: 'x' })
    await reply
  }
})

test('an address that the service refuses closes the connection with the reason', async () => {
  const attach = (link: AmqpLink) =>
    link.address === address ? undefined : { condition: 'amqp:unauthorized-access', description: 'not yours' }
  const client = dial(await serve({ attach }))
  await links(client)
  client.open_receiver({ source: '0ne000A0B1C/registrations/dev-02' })
  const [{ error }] = (await once(client, 'connection_error')) as [EventContext]
  const { condition, description } = error as { condition: string; description: string }
  assert.deepEqual([condition, description], ['amqp:unauthorized-access', 'not yours'])
})

test('without SASL there is no identity, and a refusal is an OPEN with open-error and a CLOSE', async () => {
  const description = '{"errorCode":401002}'
  const port = await serve({
    open: (identity) => (identity ? undefined : { condition: 'amqp:unauthorized-access', description }),
  })
  const client = dial(port, { username: undefined })
  const opened = once(client, 'connection_open')
  const [{ error }] = (await once(client, 'connection_close')) as [EventContext]
  await opened
  assert.equal(client.properties?.['com.microsoft:open-error'], 'amqp:unauthorized-access')
  assert.equal((error as { description: string }).description, description)
  assert.equal(client.container_id, 'gateway')
})

test('a wrong password ends the SASL exchange with outcome 1', async () => {
  const client = dial(await serve({}), { username: address, password: 'wrong' })
  const [{ error }] = (await once(client, 'connection_error')) as [EventContext]
  assert.match(String((error as Error).message), /Failed to authenticate: 1/)
})

test('SASL TPM takes the keys, hands over the blob in the two segments that Java wants, and takes the token', async () => {
  const blob = Buffer.from(Array.from({ length: 782 }, (_, at) => at % 251))
  const seen: string[] = []
  const port = await serve({ tpm: { blob, seen } })
  const [ek, srk] = [Buffer.alloc(316, 0), Buffer.alloc(284, 9)]
  const controls: number[] = []
  const parts: Buffer[] = []
  const mechanism = {
    start: (give: (error: undefined, bytes: Buffer) => void) =>
      give(undefined, Buffer.concat([Buffer.from('\x000ne000A0B1C\0dev-01\0'), ek])),
    step: (challenge: Buffer, give: (error: undefined, bytes: Buffer) => void) => {
      if (challenge.length === 1) return give(undefined, Buffer.concat([Buffer.from([0]), srk]))
      assert.ok(challenge.length < 490)
      controls.push(challenge[0]!)
      parts.push(challenge.subarray(1))
      give(undefined, parts.length === 1 ? Buffer.from([0]) : Buffer.from('\0the token'))
    },
  }
  const options = { sasl_mechanisms: { TPM: () => mechanism }, username: undefined }
  const client = dial(port, options)
  await once(client, 'connection_open')
  assert.deepEqual(controls, [0x80, 0xc1])
  assert.deepEqual(Buffer.concat(parts), blob)
  assert.deepEqual(seen, ['0ne000A0B1C', 'dev-01', ek.toString('hex'), srk.toString('hex'), 'the token'])
})

test('a client that asks and asks but takes no reply is closed', async () => {
  const client = dial(await serve({ replyDelay: 0 }))
  const sender = client.open_sender({ target: address })
  await once(sender, 'sendable')
  const end = once(client, 'connection_error')
  sender.on('sendable', () => sender.send({ body: 'x' }))
  sender.on('accepted', () => sender.send({ body: 'x' }))
  sender.send({ body: 'x' })
  const [{ error }] = (await end) as [EventContext]
  assert.equal((error as { condition: string }).condition, 'amqp:resource-limit-exceeded')
})

async function links(client: Connection) {
  const receiver = client.open_receiver({ source: address })
  const sender = client.open_sender({ target: address })
  await once(sender, 'sendable')
  return { sender, receiver }
}

/** A request and its settlement: what the server was to send before is here by then. */
async function roundTrip(sender: ReturnType<Connection['open_sender']>): Promise<void> {
  sender.send({ body: 'x' })
  await once(sender, 'accepted')
}
