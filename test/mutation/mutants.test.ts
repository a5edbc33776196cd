import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mutantsOf } from './mutants.ts'

test('each mutant is the source with one fault in it, and types have none', () => {
  const source = [
    "import { x } from './x.ts'",
    'export function isOld(age: number | undefined = 1, mode = 0o600): boolean {',
    "  if (!age) throw new RangeError('no age')",
    "  return age > 7 && mode === 0o600 && x('now', age)",
    '}',
  ].join('\n')
  const written = mutantsOf('a.ts', source).map(
    ({ start, end, replacement, kind }) => `${kind}: ${source.slice(start, end)} -> ${replacement}`,
  )
  assert.deepEqual(written.filter((line) => !line.startsWith('body')).sort(), [
    '&& for ||: && -> ||',
    '&& for ||: && -> ||',
    '=== for !==: === -> !==',
    '> for >=: > -> >=',
    'condition always false: !age -> false',
    'condition always true: !age -> true',
    'file mode: 0o600 -> 0o777',
    'file mode: 0o600 -> 0o777',
    'last argument left out: , age -> ',
    'negation left out: !age -> age',
    "nothing returned: return age > 7 && mode === 0o600 && x('now', age) -> return;",
    "text: 'now' -> ''",
    "throw left out: throw new RangeError('no age') -> ;",
  ])
  assert.equal(written.filter((line) => line.startsWith('body')).length, 1)
})
