import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawn, namedMutantsOf } from './named.ts'

const source =
  'export function isOld(age) {\n  return age > 7 && age !== 9\n}\nexport const isYoung = (age) => age < 7\n'
const keys = (text: string) => namedMutantsOf('a.ts', text).map(({ key }) => key)

test('a mutant is shown by its line and its fault, and keeps its key wherever in the file its line moves to', () => {
  const { line, code, fault } = namedMutantsOf('a.ts', source).find(({ kind }) => kind === '> for >=')!
  assert.deepEqual([line, code, fault], [2, 'return age > 7 && age !== 9', '`>` -> `>=`'])
  assert.deepEqual(keys(`// one more\n\n${source}`), keys(source))
  assert.notDeepEqual(keys(source.replace('7', '8')), keys(source))
})

test('two mutants that look alike are two', () => {
  const twice = `${source}${source.replaceAll('is', 'was')}`.replaceAll('wasOld', 'isOlder')
  const all = keys(twice)
  assert.equal(new Set(all).size, all.length)
  assert.ok(keys(source).every((key) => all.includes(key)))
})

test('a seed draws the same mutants again, those of a smaller sample among them, and another seed others', () => {
  const all = namedMutantsOf('a.ts', source)
  const few = drawn(all, 4, 'one')
  assert.equal(few.length, 4)
  assert.deepEqual(drawn(all, 4, 'one'), few)
  assert.deepEqual(drawn(all, 6, 'one').slice(0, 4), few)
  assert.notDeepEqual(drawn(all, 4, 'two'), few)
  assert.deepEqual(new Set(drawn(all, Infinity, 'one')), new Set(all))
})
