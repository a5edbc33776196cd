import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryBudget, type MemoryBound } from './memory.ts'

/** A budget and connections of it, by the order in which they were opened. */
function underTest(bounds: { total: number; each: number }) {
  const told: MemoryBound[] = []
  const cut: number[] = []
  const budget = memoryBudget(bounds, (bound) => told.push(bound))
  let opened = 0
  const open = () => {
    const number = opened++
    return budget.open(() => cut.push(number))
  }
  return { budget, open, told, cut }
}

test('a connection that holds more than one may is cut, and what it held is free', () => {
  const { budget, open, told, cut } = underTest({ total: 1000, each: 100 })
  const [first, second] = [open(), open()]
  first.count(100)
  second.count(100)
  second.count(1)
  assert.deepEqual([cut, told, budget.held()], [[1], ['each'], 100])
  second.count(500)
  second.close()
  assert.equal(budget.held(), 100, 'the cut one counts for nothing any more')
})

test('where all hold too much, whoever holds most makes room, not whoever comes last', () => {
  const { budget, open, told, cut } = underTest({ total: 100, each: 100 })
  const [hoarder, modest, newcomer] = [open(), open(), open()]
  hoarder.count(60)
  modest.count(30)
  newcomer.count(11)
  assert.deepEqual([cut, told, budget.held()], [[0], ['total'], 41])
  assert.deepEqual(budget.cuts(), { total: 1, each: 0 })
})

test('what is given back, or was held by one that is closed, is free', () => {
  const { budget, open, cut } = underTest({ total: 100, each: 100 })
  const [first, second] = [open(), open()]
  first.count(90)
  first.count(-50)
  second.count(60)
  first.close()
  first.close()
  second.count(40)
  assert.deepEqual([cut, budget.held()], [[], 100])
})
