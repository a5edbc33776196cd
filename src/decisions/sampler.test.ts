import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sampler } from './sampler.ts'

function watched(mostTallies = 100) {
  let now = 0
  const told: [item: string, alike: number][] = []
  const samples = sampler<string>({
    monotonic: () => now,
    told: (item, alike) => told.push([item, alike]),
    mostTallies,
  })
  return { ...samples, told, pass: (milliseconds: number) => (now += milliseconds) }
}

test('what is little is told one by one, what is more is counted, and told by its last when the minute is over', () => {
  const { take, told, pass, flush } = watched()
  for (let time = 0; time < 10; time++) take(`a${time}`, 'a', [{ name: 'a', most: 3 }])
  assert.deepEqual(told, [
    ['a0', 0],
    ['a1', 0],
    ['a2', 0],
  ])
  pass(60_000)
  take('b', 'b', [{ name: 'b', most: 3 }])
  assert.deepEqual(told.slice(3), [
    ['a9', 6],
    ['b', 0],
  ])
  take('a10', 'a', [{ name: 'a', most: 3 }])
  assert.deepEqual(told.at(-1), ['a10', 0], 'another minute, another three')
  flush()
  assert.equal(told.length, 6, 'nothing was counted since')
})

test('a flood under one name hides nothing under another', () => {
  const { take, told } = watched()
  for (let time = 0; time < 1000; time++) take('flood', 'x', [{ name: 'flood', most: 3 }])
  take('honest', 'x', [{ name: 'honest', most: 3 }])
  assert.deepEqual(told.at(-1), ['honest', 0])
})

test('a tally that several share bounds them together', () => {
  const { take, told } = watched()
  const shared = { name: 'all', most: 5 }
  for (let time = 0; time < 20; time++) take(`${time}`, 'x', [{ name: `from ${time}`, most: 3 }, shared])
  assert.equal(told.length, 5)
})

test('names beyond those remembered share one of their kind, and every one is counted', () => {
  const { take, told, flush } = watched(10)
  for (let time = 0; time < 1000; time++) take(`${time}`, 'kind', [{ name: `from ${time}`, most: 2 }])
  const single = told.length
  assert.ok(single >= 10 && single <= 12, `${single}`)
  flush()
  assert.equal(
    told.reduce((sum, [, alike]) => sum + 1 + alike, 0),
    1000,
  )
})

test('what was counted under many names is told in a bounded number, with nothing left out', () => {
  const { take, told, flush } = watched(5000)
  for (let time = 0; time < 4000; time++)
    take(`${time}`, `kind ${time % 2}`, [{ name: `from ${time % 2000}`, most: 1 }])
  assert.equal(told.splice(0).length, 2000)
  flush()
  assert.equal(told.length, 52)
  assert.equal(
    told.reduce((sum, [, alike]) => sum + 1 + alike, 0),
    2000,
  )
})
