import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { startService } from '../fixtures/service.ts'
import { enrollDevice, type Device } from '../wire/device.ts'

// `.4` is a load balancer; every other address speaks for itself.
const network = '127.70.2'
const [near, far] = [`${network}.2`, `${network}.3`]
const folder = mkdtempSync(join(tmpdir(), 'hubward-rules-'))
const rulesFile = join(folder, 'rules.json')
writeFileSync(
  rulesFile,
  JSON.stringify({
    rules: [
      { network: '203.0.113.0/24', latency: { [near]: 4, [far]: 40 } },
      { network: '2001:db8::/32', latency: { [near]: 4, [far]: 40 } },
      { network: '198.51.100.0/24', latency: { [near]: 40, [far]: 4 } },
    ],
  }),
)
const service = await startService({
  network,
  args: ['--latency-rules', rulesFile, '--proxy-peers', `${network}.4`],
})
after(async () => {
  await service[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const v2 = Buffer.from('0d0a0d0a000d0a515549540a2111000ccb0071070a000001138801bb', 'hex')
const cells: [name: string, header: string | Buffer, hub: string][] = [
  ['v1 from a near network', 'PROXY TCP4 203.0.113.9 10.0.0.1 5000 443\r\n', near],
  ['v1 from a far network', 'PROXY TCP4 198.51.100.9 10.0.0.1 5000 443\r\n', far],
  ['v1 over IPv6', 'PROXY TCP6 2001:db8::9 2001:db8::1 5000 443\r\n', near],
  ['v2', v2, near],
]
for (const [name, header, hub] of cells) {
  test(`a device behind a load balancer goes to the hub nearest to itself: PROXY ${name}`, async () => {
    const device = await enrollDevice(service, `device-${cells.findIndex((cell) => cell[0] === name)}`, {
      allocationPolicy: 'geoLatency',
    })
    assert.equal(await assignedThrough(device, header, `${network}.4`), hub)
  })
}

test('a PROXY header from anybody else is no beginning of a connection', async () => {
  const device = await enrollDevice(service, 'stranger', { allocationPolicy: 'geoLatency' })
  await assert.rejects(assignedThrough(device, cells[0]![1], `${network}.5`))
  const [hub] = [await assignedThrough(device, '', `${network}.5`)]
  assert.ok(hub === near || hub === far, 'without the header it is served as what it is')
})

test('a listed load balancer that sends no header is not served', async () => {
  const device = await enrollDevice(service, 'headerless', { allocationPolicy: 'geoLatency' })
  await assert.rejects(assignedThrough(device, '', `${network}.4`))
})

/** Registers over HTTPS from this address, with these bytes before TLS begins; the hub it is given. */
async function assignedThrough(device: Device, header: string | Buffer, localAddress: string): Promise<string> {
  const socket = connect({ host: service.deviceHost, port: service.ports.https, localAddress })
  socket.write(header)
  const secure = connectTls({ socket, ca: service.ca, host: service.deviceHost })
  const body = JSON.stringify({ registrationId: device.registrationId })
  const text = await new Promise<string>((resolve, reject) => {
    const call = request(
      {
        createConnection: () => secure,
        host: service.deviceHost,
        method: 'PUT',
        path: `${device.path}/register?api-version=2019-03-31`,
        headers: { authorization: device.token(), 'content-type': 'application/json', 'content-length': body.length },
      },
      (response) => {
        let answer = ''
        response.on('data', (chunk: Buffer) => (answer += chunk.toString()))
        response.on('end', () => resolve(answer))
      },
    )
    call.on('error', reject)
    secure.on('error', reject)
    call.end(body)
  })
  socket.destroy()
  const { registrationState } = JSON.parse(text) as { registrationState: { assignedHub: string } }
  return registrationState.assignedHub
}
