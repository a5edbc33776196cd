import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deepestJson, jsonFault, parseJson } from './json.ts'

const nested = (levels: number, inner = '', open = '[', close = ']') =>
  `${open.repeat(levels)}${inner}${close.repeat(levels)}`

test('a text is read down to its deepest level, and refused one below', () => {
  assert.notEqual(parseJson(nested(deepestJson)), undefined)
  assert.equal(parseJson(nested(deepestJson + 1)), undefined)
  assert.notEqual(parseJson(nested(deepestJson, '1', '{"a":', '}')), undefined)
  assert.equal(parseJson(nested(deepestJson + 1, '1', '{"a":', '}')), undefined)
  assert.equal(jsonFault(nested(20_000)), `is nested deeper than ${deepestJson} levels`)
})

test('levels that ended do not count', () => {
  assert.equal((parseJson(`[${'[[]],'.repeat(500)}1]`) as unknown[]).length, 501)
})

test('brackets inside a text are no levels, whatever is escaped there', () => {
  for (const text of ['['.repeat(500), '"['.repeat(500), '\\"['.repeat(500), '\\\\'.repeat(50) + '{'.repeat(500), '\\'])
    assert.deepEqual(parseJson(JSON.stringify({ text, [text]: 1 })), { text, [text]: 1 })
})

test('a number that no double holds is refused, and every other is read', () => {
  for (const text of ['1e309', '-1e309', '1E+999', '9'.repeat(400), '{"a":[1e400]}']) {
    assert.equal(parseJson(text), undefined, text.slice(0, 20))
    assert.equal(jsonFault(text), 'has a number that is too large')
  }
  for (const text of ['1e308', '-0', '1e-999', '123456789012345678901234567890', '[0.5,-1E5,2e+3]'])
    assert.deepEqual(parseJson(text), JSON.parse(text))
})

test('what is no JSON is none', () => {
  for (const text of ['', ' ', '{', ']', '"', '"\\', '1-2', '1.2.3', 'nul', '{"a":1,}', "{'a':1}"]) {
    assert.equal(parseJson(text), undefined, text)
    assert.equal(jsonFault(text), 'is not JSON')
  }
})

test('members are kept by whatever name, and none is inherited', () => {
  const text = '{"__proto__":{"a":1},"constructor":2,"toString":3}'
  const value = parseJson(text) as object
  assert.equal(JSON.stringify(value), text)
  assert.equal(Object.getPrototypeOf(value), Object.prototype)
  assert.equal('a' in {}, false)
})
