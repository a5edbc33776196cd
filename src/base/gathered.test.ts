import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Gathered, ownBytes } from './gathered.ts'

/** Gathers into an account, and tells what is counted. */
function underTest() {
  let counted = 0
  const gathered = new Gathered({ count: (bytes) => void (counted += bytes) })
  return { gathered, counted: () => counted }
}

const step = fc.oneof(
  fc.record({ push: fc.uint8Array({ maxLength: 3000 }) }),
  fc.record({ take: fc.double({ min: 0, max: 1, noNaN: true }) }),
)

test('whatever is pushed comes out in order, and what was taken is never written over', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { gathered, counted } = underTest()
      let expected = Buffer.alloc(0)
      const taken: { view: Buffer; copy: Buffer }[] = []
      for (const one of steps) {
        if ('push' in one) {
          gathered.push(Buffer.from(one.push))
          expected = Buffer.concat([expected, one.push])
        } else {
          const length = Math.floor(one.take * gathered.length)
          const view = gathered.take(length)
          assert.ok(view.equals(expected.subarray(0, length)))
          taken.push({ view, copy: Buffer.from(view) })
          expected = expected.subarray(length)
        }
        assert.ok(gathered.view().equals(expected))
        assert.equal(counted() > 0, gathered.length > 0)
      }
      for (const { view, copy } of taken) assert.ok(view.equals(copy))
    }),
  )
})

test('a byte at a time takes little more than the bytes', () => {
  const { gathered, counted } = underTest()
  for (let count = 0; count < 100_000; count++) gathered.push(Buffer.alloc(1))
  assert.equal(gathered.length, 100_000)
  assert.ok(counted() < 300_000, `${counted()}`)
})

test('pieces with nothing in them take nothing', () => {
  const { gathered, counted } = underTest()
  for (let count = 0; count < 1000; count++) gathered.push(Buffer.alloc(0))
  assert.equal(counted(), 0)
})

test('a small rest does not keep a large buffer, neither what is held nor what is kept', () => {
  const slab = Buffer.alloc(65_536)
  const { gathered, counted } = underTest()
  gathered.push(slab)
  gathered.take(65_000)
  assert.ok(counted() < 2000, `${counted()}`)
  assert.ok(ownBytes(slab.subarray(0, 10)).buffer.byteLength < 1000)
  assert.equal(ownBytes(slab.subarray(0, 60_000)).buffer, slab.buffer)
})
