import assert from 'node:assert/strict'
import { test } from 'node:test'
import { originOf } from './origin.ts'

const senderOf = (address: string): string => originOf(address).address

test('an IPv4 address is one sender, however it is written', () => {
  assert.equal(senderOf('192.0.2.7'), '192.0.2.7')
  assert.equal(senderOf('::ffff:192.0.2.7'), '192.0.2.7')
})

test('a /64 is one sender, however its addresses are written', () => {
  const addresses = [
    '2001:db8:0:7::1',
    '2001:DB8::7:0:0:0:9',
    '2001:0db8:0000:0007:ffff::1%eth0',
    '2001:db8:0:7:1:2:3:4',
  ]
  assert.deepEqual([...new Set(addresses.map(senderOf))], ['2001:db8:0:7'])
  assert.equal(senderOf('::1'), '0:0:0:0')
  assert.notEqual(senderOf('2001:db8:0:8::1'), '2001:db8:0:7')
})
