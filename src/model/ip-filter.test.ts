import assert from 'node:assert/strict'
import { test } from 'node:test'
import { admitsAddress, isIpMask, type IpFilterRule } from './ip-filter.ts'

const rule = (action: IpFilterRule['action'], ipMask: string, target: IpFilterRule['target'] = 'all') => {
  return { filterName: ipMask, action, ipMask, target }
}

test('the first rule that matches decides, and what none matches is let in', () => {
  const ipFilterRules = [rule('Accept', '10.1.0.0/16'), rule('Reject', '10.0.0.0/8'), rule('Reject', '2001:db8::/32')]
  const admits = (address: string) => admitsAddress({ ipFilterRules }, address, 'deviceApi')
  assert.equal(admits('10.1.2.3'), true)
  assert.equal(admits('10.2.2.3'), false)
  assert.equal(admits('::ffff:10.2.2.3'), false, 'an IPv4 address as a dual-stack socket shows it')
  assert.equal(admits('192.0.2.1'), true)
  assert.equal(admits('2001:db8::7'), false)
  assert.equal(admits('2001:db9::7'), true)
})

test('a rule is asked for its own endpoint only', () => {
  const ipFilterRules = [rule('Reject', '0.0.0.0/0', 'serviceApi')]
  assert.equal(admitsAddress({ ipFilterRules }, '192.0.2.1', 'serviceApi'), false)
  assert.equal(admitsAddress({ ipFilterRules }, '192.0.2.1', 'deviceApi'), true)
})

test('without public access only loopback, private and link-local addresses come in', () => {
  const admits = (address: string) => admitsAddress({ publicNetworkAccess: 'Disabled' }, address, 'serviceApi')
  assert.deepEqual(['127.0.0.1', '172.31.0.1', 'fd00::1', 'fe80::1%eth0'].map(admits), [true, true, true, true])
  assert.deepEqual(['172.32.0.1', '8.8.8.8', '2001:db8::1'].map(admits), [false, false, false])
})

test('a mask is an address, alone or with a prefix length that its family has', () => {
  assert.deepEqual(['10.0.0.1', '10.0.0.0/8', '::/0'].map(isIpMask), [true, true, true])
  assert.deepEqual(['10.0.0.0/33', '10.0.0', 'a', '::/129', ''].map(isIpMask), [false, false, false, false, false])
})
