import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import rhea, { type EventContext, type ReceiverOptions } from 'rhea'
import { boolean, int, long, string, uuid } from './encoding.ts'
import { writeMessage, type AmqpMessage } from './message.ts'
import type { AmqpSender, Delivered } from './service.ts'
import { dial, serve } from './stub-service.ts'

const text = (body: string): Buffer => writeMessage({ body })

/** A client that receives from a service whose sender is handed out. */
async function receiving(options: ReceiverOptions = {}) {
  let sender: AmqpSender | undefined
  const detached: string[] = []
  const gives = (_: unknown, one: AmqpSender) => {
    sender = one
    return { detached: () => void detached.push('detached') }
  }
  const client = dial(await serve({ gives }))
  const receiver = client.open_receiver({ source: 'events', autoaccept: false, ...options })
  await once(receiver, 'receiver_open')
  assert.ok(sender)
  return { client, receiver, sender, detached }
}

for (const [what, say] of [
  ['accepted', (context) => context.delivery?.accept()],
  ['released', (context) => context.delivery?.release()],
  ['modified', (context) => context.delivery?.modified({ delivery_failed: true, undeliverable_here: false })],
  ['rejected', (context) => context.delivery?.reject()],
] as const satisfies [Delivered, (context: EventContext) => void][])
  test(`whoever sent a message hears that it was ${what}`, async () => {
    const { receiver, sender } = await receiving()
    receiver.on('message', say)
    assert.equal(await sender.send(text('one')), what)
  })

test('a client that wants to hear of the settlement hears of it', async () => {
  const { receiver, sender } = await receiving({ rcv_settle_mode: 1 })
  const settled = once(receiver, 'settled')
  receiver.on('message', ({ delivery }) => delivery?.accept())
  assert.equal(await sender.send(text('one')), 'accepted')
  await settled
})

test('what is sent settled, or to a client that wants it so, is not waited for', async () => {
  const mixed = await receiving()
  assert.equal(await mixed.sender.send(text('one'), { settled: true }), 'accepted')
  const preSettled = await receiving({ snd_settle_mode: 1 })
  assert.equal(await preSettled.sender.send(text('one')), 'accepted')
})

test('a message whose client leaves is lost, and so is one that waited for credit', async () => {
  const { client, receiver, sender } = await receiving({ credit_window: 0 })
  receiver.add_credit(1)
  const both = Promise.all([sender.send(text('sent')), sender.send(text('waits'))])
  await once(receiver, 'message')
  client.close()
  assert.deepEqual(await both, ['lost', 'lost'])
})

test('what is free is the credit beyond what waits, and a new grant is told', async () => {
  let ready = () => undefined as void
  let sender: AmqpSender | undefined
  const gives = (_: unknown, one: AmqpSender) => {
    sender = one
    return { ready: () => ready() }
  }
  const client = dial(await serve({ gives }))
  const receiver = client.open_receiver({ source: 'events', credit_window: 0, autoaccept: false })
  await once(receiver, 'receiver_open')
  assert.equal(sender?.free(), 0)
  const granted = new Promise<void>((resolve) => (ready = resolve))
  receiver.add_credit(3)
  await granted
  assert.equal(sender?.free(), 3)
  void sender?.send(text('one'))
  assert.equal(sender?.free(), 2)
})

test('while a client is slow to read, what it granted is not free, and all of it comes in the end', async () => {
  const large = writeMessage({ body: Buffer.alloc(200_000) })
  const most = 40
  let sent = 0
  let atOnce = 0
  let sender: AmqpSender | undefined
  const give = () => {
    const before = sent
    while (sent < most && sender!.free() > 0) sent += (void sender!.send(large, { settled: true }), 1)
    atOnce = Math.max(atOnce, sent - before)
  }
  const gives = (_: unknown, one: AmqpSender) => {
    sender = one
    return { ready: give }
  }
  const client = dial(await serve({ gives }))
  const receiver = client.open_receiver({ source: 'events', credit_window: 0 })
  await once(receiver, 'receiver_open')
  receiver.add_credit(300)
  for (let received = 0; received < most; received++) await once(receiver, 'message')
  assert.equal(sent, most)
  assert.ok(atOnce <= 4, `${atOnce} messages of 200,000 bytes at once`)
})

test('a service that detaches a link says why, and hears nothing more of it', async () => {
  const { receiver, sender, detached } = await receiving()
  sender.detach({ condition: 'amqp:link:stolen', description: 'another one came' })
  await once(receiver, 'receiver_error')
  assert.equal((receiver.error as { condition: string }).condition, 'amqp:link:stolen')
  assert.deepEqual(detached, ['detached'])
  assert.equal(await sender.send(text('late')), 'lost')
})

test('a client that grants credit and does not say what became of anything is not sent more than can be remembered', async () => {
  const { receiver, sender } = await receiving({ credit_window: 0 })
  receiver.add_credit(100_000)
  await new Promise((resolve) => setTimeout(resolve, 50))
  let sent = 0
  while (sender.free() > 0 && sent < 2000) sent += (void sender.send(text('x')), 1)
  assert.equal(sent, 1024)
})

test('a client that lets more wait than it takes is closed', async () => {
  const { client, sender } = await receiving({ credit_window: 0 })
  const end = once(client, 'connection_error')
  for (let sent = 0; sent < 65; sent++) void sender.send(text('x'))
  const [{ error }] = (await end) as [EventContext]
  assert.equal((error as { condition: string }).condition, 'amqp:resource-limit-exceeded')
})

test('a message goes out with its annotations, properties and values', async () => {
  const { receiver, sender } = await receiving()
  void sender.send(
    writeMessage({
      annotations: [
        ['status', int(200)],
        ['x-opt-sequence-number', long(7)],
      ],
      applicationProperties: [['flag', boolean(true)]],
      messageId: string('m-1'),
      correlationId: uuid(Buffer.alloc(16, 1)),
      userId: Buffer.from('owner'),
      to: '/devices/a',
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      expires: 1_900_000_000_000,
      created: 1_800_000_000_000,
      body: { value: string('a value') },
    }),
  )
  const [{ message }] = (await once(receiver, 'message')) as [EventContext]
  assert.deepEqual(message?.message_annotations, { status: 200, 'x-opt-sequence-number': 7 })
  assert.deepEqual(message?.application_properties, { flag: true })
  assert.equal(message?.message_id, 'm-1')
  assert.deepEqual(message?.correlation_id, Buffer.alloc(16, 1))
  assert.equal(message?.to, '/devices/a')
  assert.equal(message?.content_type, 'application/json')
  assert.equal(message?.content_encoding, 'utf-8')
  assert.equal(Number(message?.absolute_expiry_time), 1_900_000_000_000)
  assert.equal(Number(message?.creation_time), 1_800_000_000_000)
  assert.equal(message?.body, 'a value')
})

test('a message comes in with its annotations, properties and values', async () => {
  const taken = Promise.withResolvers<AmqpMessage>()
  const takes = () => ({ take: async (message: AmqpMessage) => (taken.resolve(message), {}) })
  const sender = dial(await serve({ takes })).open_sender({ target: 'events' })
  await once(sender, 'sendable')
  sender.send({
    message_annotations: { operation: 'PATCH' },
    application_properties: {
      whole: 3,
      half: rhea.types.wrap_double(0.5),
      id: rhea.types.wrap_uuid(Buffer.alloc(16, 0xab)),
      at: rhea.types.wrap_timestamp(1_800_000_000_000),
    },
    to: '/devices/a',
    reply_to: 'me',
    content_type: 'application/json',
    absolute_expiry_time: new Date(1_900_000_000_000),
    body: rhea.message.data_sections([Buffer.from('a'), Buffer.from('b')]),
  })
  const message = await taken.promise
  assert.deepEqual(Object.fromEntries(message.annotations), { operation: 'PATCH' })
  assert.deepEqual(Object.fromEntries(message.applicationProperties), {
    whole: 3,
    half: 0.5,
    id: 'abababab-abab-abab-abab-abababababab',
    at: 1_800_000_000_000,
  })
  assert.equal(message.to, '/devices/a')
  assert.equal(message.replyTo, 'me')
  assert.equal(message.contentType, 'application/json')
  assert.equal(message.expires, 1_900_000_000_000)
  assert.equal(message.body.toString(), 'ab')
  assert.deepEqual(message.parts.map(String), ['a', 'b'])
})
