import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOfBase64 } from './base64.ts'

test('base64 is read with or without padding, and with loose last bits', () => {
  for (const text of ['AAE=', 'AAE', 'AAF=', 'AAH']) assert.deepEqual(bytesOfBase64(text), Buffer.of(0, 1), text)
  for (const text of ['AA==', 'AB==', 'AP', 'AA']) assert.deepEqual(bytesOfBase64(text), Buffer.of(0), text)
  assert.deepEqual(bytesOfBase64('/+8='), Buffer.of(0xff, 0xef))
  assert.deepEqual(bytesOfBase64(''), Buffer.alloc(0))
})

test('what is no base64 is not read: other alphabets, blanks inside, a digit too many, padding in the middle', () => {
  for (const text of ['_-8=', 'AA E', 'AAE\n', 'A', 'AAAAA', 'AA==AA', 'AAE===', 'ä'])
    assert.equal(bytesOfBase64(text), undefined, text)
})
