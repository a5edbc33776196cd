import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { printable, printableJson, quoted, shown } from './printable.ts'

/** One or more of every class that must not reach a terminal or a log as it is. */
const unseen = [
  [0x00, 0x07, 0x08, 0x09, 0x0a, 0x0d, 0x1b, 0x7f, 0x80, 0x85, 0x9b, 0x9f, 0xa0, 0xad],
  [0x034f, 0x061c, 0x115f, 0x180e, 0x2000, 0x200b, 0x200d, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069],
  [0x2800, 0x3000, 0x3164, 0xd800, 0xdfff, 0xe000, 0xfe0f, 0xfeff, 0xffff, 0xe0041],
]
  .flat()
  .map((code) => String.fromCodePoint(code))

const anything = fc.string({ unit: 'binary' })
const seen = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Co}\p{Cn}]*$/u

test('nothing that cannot be seen is left in what is shown', () => {
  for (const character of unseen) {
    for (const show of [quoted, shown, printable]) {
      const text = show(`a${character}b`)
      assert.ok(!text.includes(character) && seen.test(text), JSON.stringify(text))
    }
    assert.ok(!printableJson(JSON.stringify({ a: character })).includes(character))
  }
})

test('what is quoted can be read back, so that no two texts are shown alike', () => {
  fc.assert(fc.property(anything, (text) => JSON.parse(quoted(text, Infinity)) === text))
  fc.assert(
    fc.property(anything, (text) => shown(text, Infinity) === text || JSON.parse(shown(text, Infinity)) === text),
  )
})

test('a plain name is shown as it is, and one that could be mistaken for our words is quoted', () => {
  for (const name of ['pump-17', '0ne00000001/registrations/a', '2001:db8::1', 'a@b.example', '%0A', '$dps/x'])
    assert.equal(shown(name), name)
  assert.equal(shown(''), '""')
  assert.equal(shown('none of them'), '"none of them"')
  assert.equal(shown('"quoted"'), String.raw`"\"quoted\""`)
  assert.equal(shown('back\\slash'), String.raw`"back\\slash"`)
  assert.equal(shown('Straße'), '"Straße"')
})

test('a long text is cut, and says how long it was', () => {
  assert.equal(quoted('abcdef', 3), '"abc"… (of 6 characters)')
  assert.equal(quoted('ab😀', 3), String.raw`"ab\ud83d"… (of 4 characters)`)
})

test('JSON means the same when it was made printable', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value, undefined, 2)
      const safe = printableJson(text)
      assert.deepEqual(JSON.parse(safe), JSON.parse(text))
      for (const line of safe.split('\n')) assert.match(line, seen)
    }),
  )
})
