import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { connect as startTls, type TLSSocket } from 'node:tls'
import { connect as connectTcp, type Socket } from 'node:net'
import mqtt from 'mqtt-packet'
import { openNodeRunner, type DeviceRunner } from '../../sdk/runner.ts'
import { startService, type Service } from '../fixtures/service.ts'
import {
  assertAssigned,
  enrollDevice,
  openSession,
  registerTopic,
  registerToTheEnd,
  subscribePacket,
} from './device.ts'
import {
  askControlPlane,
  comesBack,
  controlPlaneOf,
  flood,
  metric,
  openFiles,
  residentMegabytes,
  type Flood,
} from './flood.ts'
import { connectPacket, publishPacket } from './mqtt-client.ts'

const most = 300
let service: Service
let sdk: DeviceRunner
let files = 0
let megabytes = 0
let devices = 0

before(async () => {
  const args = ['--handshake-timeout', '4', '--proof-timeout', '12']
  service = await startService({ network: '127.30.50', openFiles: most, args })
  sdk = await openNodeRunner({ caFile: service.caFile })
})
after(async () => {
  await sdk?.[Symbol.asyncDispose]()
  await service?.[Symbol.asyncDispose]()
})

/** An operator writes, devices of an official SDK register over every wire, and the control plane is ready. */
async function everythingWorks(): Promise<void> {
  const { registrationId, key } = await enrollDevice(service, `door-${++devices}`)
  const { deviceHost: host, idScope } = service
  for (const transport of ['http', 'mqtt', 'amqp', 'mqtt-ws'] as const) {
    const result = await sdk.run({ host, idScope, registrationId, transport, attestation: { symmetricKey: key } })
    assert.ok(result.ok, `${transport}: ${JSON.stringify(result)}`)
  }
  const ready = await askControlPlane(service, '/ready')
  assert.equal(ready.status, 200, ready.text)
  assert.ok(openFiles(service) < most - 20, `${openFiles(service)} files are open`)
}

/** What is thrown away is told and counted; a fault is not among it. */
function assertNoFault(): void {
  assert.ok(service.running())
  assert.doesNotMatch(service.log(), /\b(?:ERROR|FATAL)\b|EMFILE|^ +at .+:\d+:\d+\)?$/m)
}

describe('a flood keeps nobody out and leaves nothing behind, with 300 files to be had', () => {
  test('600 sockets that say nothing, before anybody has proved who they are, and come again when they are cut', async () => {
    const host = service.deviceHost
    await using _ = await flood({ host, port: service.ports.mqtt, sockets: 600, again: true })
    await everythingWorks()
    assertNoFault()
    assert.match(
      service.log(),
      /connections to the device ports were turned away, the latest from 127\.0\.0\.77: --\w+/,
    )
  })

  test('what it then holds is what it held after its first devices', async () => {
    await comesBack(service, most)
    files = openFiles(service)
    megabytes = residentMegabytes(service)
    assert.ok(files < 80, `${files} files are open`)
  })

  const floods: readonly [what: string, begin: () => Promise<Flood>][] = [
    ...(['https', 'mqtt', 'amqp'] as const).map((port): [string, () => Promise<Flood>] => [
      `600 sockets at the ${port} port that say nothing and come again`,
      () => flood({ host: service.deviceHost, port: service.ports[port], sockets: 600, again: true }),
    ]),
    [
      '600 sockets that send one byte and come again',
      () => strangers('mqtt', 600, (socket) => socket.write(Buffer.of(0x16)), true),
    ],
    [
      '600 sockets that do not speak TLS',
      () => strangers('amqp', 600, (socket) => socket.write('GET / HTTP/1.1\r\n\r\n')),
    ],
    [
      '400 finished handshakes with nothing after them',
      () => strangers('amqp', 400, (socket) => void handshake(socket)),
    ],
    ['400 CONNECTs with a false password that register', () => strangers('mqtt', 400, registerFalsely)],
    ['400 HTTP connections that ask for nothing of use and stay', () => strangers('https', 400, askForNothing)],
    ['400 HTTP requests that never end', () => strangers('https', 400, askWithoutEnd)],
    [
      '400 sockets at the control plane that say nothing and come again',
      () => flood({ ...controlPlaneOf(service), sockets: 400, again: true }),
    ],
  ]
  for (const [what, begin] of floods) {
    test(what, async () => {
      {
        await using _ = await begin()
        await everythingWorks()
      }
      await everythingWorks()
      await comesBack(service, files)
      assertNoFault()
    })
  }

  test('strangers that stay are cut without being displaced, and a device that has proved who it is stays', async () => {
    const device = await enrollDevice(service, 'door-steady')
    await using session = await openSession(service, device)
    assertAssigned(await registerToTheEnd(session), device.registrationId)
    const bounds = ['handshakeTimeout', 'proofTimeout', 'failedAttempts', 'unprovenPerAddress']
    const cut = async () => {
      const times = bounds.map((bound) => metric(service, 'dps_connections_turned_away_total', `bound="${bound}"`))
      return (await Promise.all(times)).reduce((sum, more) => sum + more, 0)
    }
    const before = await cut()
    await using _ = await strangers('mqtt', 20, registerFalsely)
    await using __ = await strangers('https', 20, (socket) => void handshake(socket))
    await using ___ = await strangers('amqp', 20, () => undefined)
    // On a slow machine some have been cut already.
    const present = await metric(service, 'dps_connections', 'listener="device"')
    assert.ok(present + (await cut()) - before > 40)
    await comesBack(service, files, 1)
    {
      await using ____ = await strangers('mqtt', 600, (socket) => void handshake(socket))
    }
    session.send({ cmd: 'pingreq' })
    await session.receive('pingresp')
  })

  test('what was turned away is counted by its bound, and memory is as before', async () => {
    for (const bound of ['connections', 'handshakeTimeout', 'proofTimeout', 'failedAttempts']) {
      const times = await metric(service, 'dps_connections_turned_away_total', `bound="${bound}"`)
      assert.ok(times > 0, `${bound} was met`)
    }
    assert.ok((await metric(service, 'dps_connection_origins')) < 10)
    const grown = residentMegabytes(service) - megabytes
    assert.ok(grown < 150, `the memory grew by ${Math.round(grown)} MB`)
  })
})

describe('what one address may do', () => {
  test('failed attempts shut an address out, which is that of the PROXY header', async () => {
    const balancer = '127.0.0.9'
    const args = ['--failed-attempts', '5', '--proxy-peers', balancer]
    await using behind = await startService({ network: '127.30.51', args })
    const { deviceHost: host, ports, ca } = behind
    const attempt = async (source: string): Promise<'answered' | 'cut'> => {
      const raw = connectTcp({ port: ports.https, host, localAddress: balancer })
      raw.on('error', () => raw.destroy())
      raw.write(`PROXY TCP4 ${source} ${host} 4711 443\r\n`)
      const socket = startTls({ socket: raw, ca, checkServerIdentity: () => undefined })
      socket.write(`PUT /${behind.idScope}/registrations/x/register?api-version=2019-03-31 HTTP/1.1\r\nHost: h\r\n`)
      socket.write('Content-Length: 0\r\n\r\n')
      return new Promise((resolve) => {
        socket.on('data', (bytes: Buffer) => {
          assert.match(String(bytes), /^HTTP\/1\.1 401 /)
          resolve('answered')
          socket.destroy()
        })
        for (const event of ['error', 'close']) socket.on(event, () => resolve('cut'))
      })
    }
    const first: string[] = []
    for (let count = 0; count < 7; count++) first.push(await attempt('203.0.113.9'))
    assert.deepEqual(first, [...Array<string>(5).fill('answered'), 'cut', 'cut'])
    assert.equal(await attempt('203.0.113.10'), 'answered')
    await behind.logged(/turned away, the latest from 203\.0\.113\.9: --failed-attempts is 5/)
  })
})

/** Sockets at a port that do something once they are connected. */
function strangers(
  port: 'https' | 'mqtt' | 'amqp',
  sockets: number,
  connected: (socket: Socket) => void,
  again = false,
): Promise<Flood> {
  return flood({ host: service.deviceHost, port: service.ports[port], sockets, connected, again })
}

function handshake(socket: Socket): TLSSocket {
  const secure = startTls({ socket, ca: service.ca, checkServerIdentity: () => undefined })
  secure.on('error', () => socket.destroy())
  return secure
}

function registerFalsely(socket: Socket): void {
  const id = 'door-1'
  const userName = `${service.idScope}/registrations/${id}/api-version=2019-03-31`
  const token = `SharedAccessSignature sr=${service.idScope}%2Fregistrations%2F${id}&sig=AAAA&se=9999999999&skn=registration`
  const packets = [connectPacket(id, userName, token), subscribePacket(), publishPacket(registerTopic('1'), '{}')]
  handshake(socket).write(Buffer.concat(packets.map((packet) => mqtt.generate(packet))))
}

function askForNothing(socket: Socket): void {
  handshake(socket).write('GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n')
}

function askWithoutEnd(socket: Socket): void {
  handshake(socket).write('PUT /x/registrations/y/register HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n{')
}
