import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { startService, type Service } from '../fixtures/service.ts'
import { header } from '../wire/amqp-client.ts'
import { beginSession, deviceWithKey, enrollDevice, receiveReply, registerTopic, type Device } from '../wire/device.ts'
import { publishPacket, speakMqtt } from '../wire/mqtt-client.ts'

/** Milliseconds that every answer takes: so long something is under way. */
const answerDelay = 700
const faults: readonly [what: string, fault: string, shown: RegExp][] = [
  ['an error that is thrown', 'thrown', /TypeError: a planted fault\s+at .*faulty-service\.ts:\d+:\d+/],
  ['a rejection that nobody awaits', 'rejected', /TypeError: a planted fault\s+at .*faulty-service\.ts:\d+:\d+/],
  ['a rejection with nothing', 'no error', /undefined/],
]
let service: Service
let device: Device

before(async () => {
  const program = join(import.meta.dirname, 'faulty-service.ts')
  service = await startService({ network: '127.30.67', program, args: ['--answer-delay', String(answerDelay)] })
  device = await enrollDevice(service, 'last')
})
after(() => service?.[Symbol.asyncDispose]())

for (const [what, fault, shown] of faults) {
  test(`${what}, which nothing catches: it is told, what is under way is answered, connections end, the code is 70`, async () => {
    if (!service.running()) await service.restart()
    const opened = await Promise.all([open('mqtt'), open('https'), open('amqp'), open('https')])
    const [mqtt, idle, amqp, asking] = opened
    const session = speakMqtt(mqtt.socket)
    await beginSession(session, device)
    amqp.socket.write(header.amqp)

    session.send(publishPacket(registerTopic('under-way'), '{}'))
    await session.receive('puback')
    const stranger = deviceWithKey(service, 'nobody', Buffer.alloc(32).toString('base64'))
    const head = `PUT ${stranger.path}/register?api-version=2021-06-01 HTTP/1.1\r\nHost: h\r\nContent-Length: 2`
    asking.socket.write(`${head}\r\nAuthorization: ${stranger.token()}\r\n\r\n{}`)
    writeFileSync(join(service.dataFolder, 'fault'), fault)

    await service.logged(/FATAL.*: a fault that nothing caught, the service stops/)
    assert.equal((await receiveReply(session)).rid, 'under-way')
    assert.match(await asking.heard(/\}$/), /^HTTP\/1\.1 401 /)
    for (const { ended } of [mqtt, idle, amqp, asking]) assert.equal(await ended, 'ended')
    await until(() => !service.running())
    assert.equal(await service.stop(), 70)
    assert.match(service.log(), shown)
    assert.match(service.log(), /stopping: what is under way is finished first/)
    assert.ok(!existsSync(join(service.dataFolder, 'connection.env')), 'it does not say that it is ready any more')
  })
}

test('the next start finds everything that was acknowledged', async () => {
  await service.restart()
  const { status } = (await service.operate('GET', '/registrations/last')).json()
  assert.equal(status, 'assigned')
  assert.doesNotMatch(service.log(), /ERROR|FATAL/)
})

interface Client {
  readonly socket: TLSSocket
  /** How the other side closed it: as TLS has it, or with a reset. */
  readonly ended: Promise<'ended' | 'cut'>
  /** What came, once it matches. */
  readonly heard: (pattern: RegExp) => Promise<string>
}

async function open(port: keyof Service['ports']): Promise<Client> {
  const socket = connect({ host: service.deviceHost, port: service.ports[port], ca: service.ca })
  const ended = new Promise<'ended' | 'cut'>((resolve) => {
    socket.on('end', () => resolve('ended'))
    socket.on('error', () => resolve('cut'))
    socket.on('close', () => resolve('cut'))
  })
  let text = ''
  socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  const heard = async (pattern: RegExp): Promise<string> => {
    await until(() => pattern.test(text))
    return text
  }
  return { socket, ended, heard }
}

async function until(reached: () => boolean): Promise<void> {
  for (const limit = Date.now() + 15_000; !reached(); await wait(20)) assert.ok(Date.now() < limit, service.log())
}
