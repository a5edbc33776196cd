import assert from 'node:assert/strict'
import { test } from 'node:test'
import { networks } from './networks.ts'

test('an address is in the networks that cover it, in whatever clothes', () => {
  const covers = networks(['10.0.0.0/8', '192.0.2.1', 'fd00::/8'])
  for (const address of ['10.9.9.9', '192.0.2.1', '::ffff:10.1.1.1', 'fd12::1']) assert.ok(covers(address), address)
  for (const address of ['11.0.0.1', '192.0.2.2', 'fe80::1', '', 'x']) assert.ok(!covers(address), address)
  assert.throws(() => networks(['10.0.0.0/']), TypeError)
})
