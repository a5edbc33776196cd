import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Secret } from '../base/secret.ts'
import type { LinkedHub } from '../model/service.ts'
import { highestScore } from './evenly-weighted.ts'

const hub = (hostName: string, allocationWeight = 1): LinkedHub => ({
  hostName,
  allocationWeight,
  keyName: 'owner',
  key: new Secret(Buffer.from('key')),
  location: 'here',
  applyAllocationPolicy: true,
})

const hubs = fc
  .uniqueArray(fc.domain(), { minLength: 1, maxLength: 8 })
  .chain((names) =>
    fc.tuple(...names.map((name) => fc.integer({ min: 1, max: 1000 }).map((weight) => hub(name, weight)))),
  )

test('a device always goes to one of the allowed hubs, and always to the same', () => {
  fc.assert(
    fc.property(fc.string(), hubs, (key, among) => {
      const chosen = highestScore(key, among)
      assert.ok(among.includes(chosen))
      assert.equal(highestScore(key, among.toReversed()), chosen, 'whatever the order of the hubs')
    }),
  )
})

test('removing a hub moves only its own devices, and adding one takes devices only for itself', () => {
  fc.assert(
    fc.property(fc.string(), hubs, fc.nat(), (key, among, index) => {
      const removed = among[index % among.length]!
      const rest = among.filter((other) => other !== removed)
      const before = highestScore(key, among)
      if (before !== removed) assert.equal(highestScore(key, rest), before)
    }),
  )
})

test('over 100,000 devices each hub gets its weight of them, within the chi-square bound', () => {
  const among = [hub('a.example', 1), hub('b.example', 2), hub('c.example', 3), hub('d.example', 10)]
  const count = 100_000
  const got = new Map<LinkedHub, number>()
  for (let device = 0; device < count; device++) {
    const chosen = highestScore(`0ne00000001\ndevice-${device}`, among)
    got.set(chosen, (got.get(chosen) ?? 0) + 1)
  }
  const total = among.reduce((sum, { allocationWeight }) => sum + allocationWeight, 0)
  const chiSquare = among.reduce((sum, one) => {
    const expected = (count * one.allocationWeight) / total
    return sum + ((got.get(one) ?? 0) - expected) ** 2 / expected
  }, 0)
  assert.ok(chiSquare < 16.27, `chi-square ${chiSquare} exceeds the 0.001 bound of three degrees of freedom`)
})

test('a hub without weight gets nobody while another has some, and its share where none has', () => {
  const keys = Array.from({ length: 3000 }, (_, device) => `0ne00000001\ndevice-${device}`)
  const sharesOf = (among: LinkedHub[]) =>
    among.map((one) => keys.filter((key) => highestScore(key, among) === one).length)
  assert.deepEqual(sharesOf([hub('a.example', 0), hub('b.example', 1)]), [0, 3000])
  for (const share of sharesOf([hub('a.example', 0), hub('b.example', 0)])) assert.ok(share > 1300, String(share))
})
