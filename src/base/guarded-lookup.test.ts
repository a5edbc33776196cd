import assert from 'node:assert/strict'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { AddressDenied, demandPermittedHost, guardedLookup, permits } from './guarded-lookup.ts'
import { networks } from './networks.ts'

const nothing = networks([])
const listening = { port: 0, calls: 0 }
const server = createServer((_, answer) => {
  listening.calls++
  answer.end('inside')
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
listening.port = (server.address() as AddressInfo).port
after(() => server.close())

test('what is not the public Internet is not permitted, however it is written', () => {
  const inside = `127.0.0.1 127.9.9.9 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 168.63.129.16
    100.100.100.200 192.0.0.192 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 ::1 :: ::ffff:10.0.0.1 ::ffff:7f00:1
    ::127.0.0.1 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::a00:1 2002:7f00:1:: 2001:0:4136:e378:8000:63bf:f5ff:fffe
    fd00:ec2::254 fc00::1 fe80::1 fe80::1%lo fec0::1 ff02::1 2001:db8::1 3fff::1 5f00::1`
  for (const address of inside.split(/\s+/)) assert.equal(permits(address, nothing), false, address)
  for (const address of ['', 'localhost', '1.2.3', '0x7f.1'])
    assert.equal(
      permits(address, () => true),
      false,
      address,
    )
  const open = ['93.184.216.34', '172.32.0.1', '100.128.0.1', '2606:2800:220:1::1', '::ffff:93.184.216.34']
  for (const address of open) assert.equal(permits(address, nothing), true, address)
})

test('what the operator allows is permitted, and only that', () => {
  const allowed = networks(['10.1.0.0/16', 'fd12::/16'])
  assert.deepEqual(
    ['10.1.2.3', '::ffff:10.1.2.3', 'fd12::1', '10.2.0.1', '127.0.0.1'].map((address) => permits(address, allowed)),
    [true, true, true, false, false],
  )
})

test('a host that is written as an address is not looked up, and checked all the same', () => {
  for (const url of ['http://127.0.0.1/', 'http://[::1]/', 'http://2130706433/', 'http://0x7f.1/']) {
    const { hostname } = new URL(url)
    assert.throws(() => demandPermittedHost(hostname, nothing), AddressDenied, url)
  }
  demandPermittedHost('hub.example', nothing)
})

test('a name that leads inside is not connected to, unless the operator allows it', async () => {
  await assert.rejects(get('localhost', nothing), AddressDenied)
  // Not an address to the URL parser and yet one to the resolver.
  await assert.rejects(get('127.1', nothing), AddressDenied)
  assert.equal(listening.calls, 0)
  assert.equal(await get('127.1', networks(['127.0.0.0/8'])), 'inside')
})

function get(host: string, allowed: (address: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const lookup = guardedLookup(allowed)
    const outgoing = request({ host, port: listening.port, lookup, agent: false, family: 4 }, (answer) => {
      answer.setEncoding('utf8').on('data', resolve)
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}
