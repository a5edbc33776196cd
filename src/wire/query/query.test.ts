import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Json, JsonObject } from '../../base/json.ts'
import { matches, project, valueAt } from './evaluate.ts'
import { parseQuery, type Dialect } from './parse.ts'
import type { Expression, Literal, Path } from './syntax.ts'
import { QueryFault } from './tokens.ts'

/** All that the language has, of records whose members hold anything. */
const anything: Dialect = {
  longest: 4096,
  collections: ['devices', 'devices.modules'],
  members: { a: 'any', b: 'any', tags: 'any' },
  functions: ['is_defined', 'is_null', 'startswith', 'endswith'],
  columns: true,
}

const words = [
  'SELECT',
  '*',
  'a',
  '.',
  'FROM',
  'devices',
  'WHERE',
  'NOT',
  'IN',
  '[',
  ']',
  '(',
  ')',
  ',',
  '=',
  '<>',
  "'x'",
]
words.push(
  'AND',
  'OR',
  'GROUP',
  'BY',
  'AS',
  'COUNT',
  '1',
  '-2.5e3',
  'null',
  'true',
  'IS_DEFINED',
  'STARTSWITH',
  '"',
  "'",
)

test('whatever text is given, parsing gives a query or a QueryFault', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.array(fc.constantFrom(...words), { maxLength: 30 }).map((parts) => parts.join(' ')),
    fc.array(fc.constantFrom(...words), { maxLength: 30 }).map((parts) => `SELECT * WHERE a = 1 ${parts.join('')}`),
  )
  fc.assert(
    fc.property(text, (query) => {
      try {
        matches(parseQuery(query, anything), { a: 1 })
      } catch (error) {
        assert.ok(error instanceof QueryFault, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})

for (const hostile of [
  '('.repeat(4000),
  'SELECT * WHERE ' + 'NOT '.repeat(1000),
  `SELECT * WHERE a = '${'\\'.repeat(4000)}`,
]) {
  test(`a hostile query is refused at once: ${hostile.slice(0, 24)}…`, () => {
    assert.throws(() => parseQuery(hostile, anything), QueryFault)
  })
}

const name = fc.constantFrom('a', 'b', 'odd key', "it's", 'select')
const path: fc.Arbitrary<Path> = fc
  .tuple(fc.constantFrom('a', 'b', 'tags'), fc.array(name, { maxLength: 2 }))
  .map(([first, rest]) => [first, ...rest])
const literal: fc.Arbitrary<Literal> = fc.oneof(
  fc.constantFrom('x', 'y', 'xy', "o'x", '"', '\\', 'ü'),
  fc.integer({ min: -2, max: 2 }),
  fc.constantFrom(1.5, true, false, null),
)
const operator = fc.constantFrom('=', '!=', '<', '<=', '>', '>=' as const)

const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 4 },
    fc.record({ is: fc.constant('compare' as const), path, operator, literal }),
    fc.record({ is: fc.constant('in' as const), path, literals: fc.array(literal, { minLength: 1, maxLength: 3 }) }),
    fc.record({
      is: fc.constant('call' as const),
      name: fc.constantFrom('is_defined', 'is_null' as const),
      path,
      text: fc.constant(''),
    }),
    fc.record({
      is: fc.constant('call' as const),
      name: fc.constantFrom('startswith', 'endswith' as const),
      path,
      text: fc.constantFrom('', 'x', 'xy'),
    }),
    fc.record({ is: fc.constant('not' as const), operand: tie('expression') }),
    fc.record({
      is: fc.constantFrom('and', 'or' as const),
      operands: fc.array(tie('expression'), { minLength: 2, maxLength: 3 }),
    }),
  ),
}))

const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    literal,
    fc.dictionary(name, tie('value'), { maxKeys: 3 }),
    fc.array(tie('value'), { maxLength: 2 }),
  ),
}))
const record: fc.Arbitrary<JsonObject> = fc.record({ a: value, b: value, tags: value }, { requiredKeys: [] })

test('a condition, written out and read back, decides as the truth tables of SQL do', () => {
  fc.assert(
    fc.property(expression, record, (condition, given) => {
      const query = parseQuery(`SELECT * WHERE ${write(condition)}`, anything)
      assert.equal(matches(query, given), oracle(condition, given) === 'true')
    }),
    { numRuns: 2000 },
  )
})

test('columns are the values at their paths, also those that have odd names or are inherited by every object', () => {
  const given: JsonObject = { a: { 'odd key': [1] }, b: null }
  const query = parseQuery(`SELECT a['odd key'] AS odd, b, a.toString`, anything)
  assert.deepEqual(JSON.parse(JSON.stringify(project(query, given))), { odd: [1], b: null })
  for (const path of [['a', 'odd key', 'length'], ['constructor'], ['a', 'toString'], ['__proto__']]) {
    assert.equal(valueAt(given, path), undefined)
  }
})

function write(expression: Expression): string {
  switch (expression.is) {
    case 'and':
    case 'or':
      return `(${expression.operands.map(write).join(` ${expression.is.toUpperCase()} `)})`
    case 'not':
      return expression.operand.is === 'not' ? `NOT ${write(expression.operand)}` : `NOT (${write(expression.operand)})`
    case 'compare':
      return `${writePath(expression.path)} ${expression.operator} ${writeLiteral(expression.literal)}`
    case 'in':
      return `${writePath(expression.path)} in [${expression.literals.map(writeLiteral).join(',')}]`
    case 'call': {
      const text = expression.name.startsWith('is') ? '' : `, ${writeLiteral(expression.text)}`
      return `${expression.name.toUpperCase()}(${writePath(expression.path)}${text})`
    }
  }
}

function writePath([first, ...rest]: Path): string {
  return first + rest.map((part) => (/^\w+$/.test(part) ? `.${part}` : `["${part}"]`)).join('')
}

function writeLiteral(literal: Literal): string {
  if (typeof literal !== 'string') return String(literal)
  return `'${literal.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}

type Truth = 'true' | 'false' | 'unknown'

/** The same meaning said differently: minimum and maximum over an order of truth values. */
function oracle(expression: Expression, given: JsonObject): Truth {
  const order: readonly Truth[] = ['false', 'unknown', 'true']
  const rank = (operand: Expression) => order.indexOf(oracle(operand, given))
  switch (expression.is) {
    case 'and':
      return order[Math.min(...expression.operands.map(rank))]!
    case 'or':
      return order[Math.max(...expression.operands.map(rank))]!
    case 'not':
      return order[2 - rank(expression.operand)]!
    case 'in': {
      const { path } = expression
      const operands = expression.literals.map((item): Expression => ({
        is: 'compare',
        path,
        operator: '=',
        literal: item,
      }))
      return oracle({ is: 'or', operands }, given)
    }
    case 'call': {
      const found = look(given, expression.path)
      if (expression.name === 'is_defined') return found === undefined ? 'false' : 'true'
      if (expression.name === 'is_null') return found === null ? 'true' : 'false'
      if (typeof found !== 'string') return 'unknown'
      const { length } = expression.text
      const end = expression.name === 'startswith' ? found.slice(0, length) : found.slice(found.length - length)
      return end === expression.text ? 'true' : 'false'
    }
    case 'compare': {
      const found = look(given, expression.path) ?? null
      const { literal: wanted, operator: by } = expression
      const same = found === wanted
      if (found === null && wanted !== null) return 'unknown'
      if (by === '=') return same ? 'true' : 'false'
      if (by === '!=') return same ? 'false' : 'true'
      if (typeof found !== typeof wanted || !['string', 'number'].includes(typeof found)) return 'unknown'
      const less = (found as string) < (wanted as string)
      const holds = { '<': less, '<=': less || same, '>': !less && !same, '>=': !less }[by]
      return holds ? 'true' : 'false'
    }
  }
}

function look(given: JsonObject, path: Path): Json | undefined {
  const [first = '', ...rest] = path
  const inner = new Map(Object.entries(given)).get(first)
  if (rest.length === 0) return inner
  return typeof inner === 'object' && inner !== null && !Array.isArray(inner)
    ? look(inner as JsonObject, rest)
    : undefined
}

test('a dialect has the collections, functions and columns that it says, and no others', () => {
  const narrow: Dialect = { ...anything, members: 'any', functions: ['is_defined'], columns: false }
  assert.equal(parseQuery('SELECT * FROM Devices.Modules', narrow).from, 'devices.modules')
  for (const [query, why] of [
    ['SELECT a FROM devices', /unexpected "a"/],
    ['SELECT COUNT() FROM devices', /unexpected/],
    ['SELECT * FROM devices GROUP BY a', /unexpected "GROUP"/],
    ['SELECT * FROM jobs', /no collection "jobs"/],
    ["SELECT * WHERE endswith(a, 'x')", /no function "endswith"/],
    ['', /unexpected end/],
  ] as const) {
    assert.throws(() => parseQuery(query, narrow), { name: 'QueryFault', message: why }, query)
  }
})

test('a member may stand behind its collection or its alias, and in brackets, also where any member may be named', () => {
  const open: Dialect = { ...anything, members: 'any' }
  for (const dialect of [anything, open]) {
    for (const path of ['tags.zone-1', "devices.tags['zone-1']", "tags.['zone-1']", 'd.tags.zone-1']) {
      const query = parseQuery(`SELECT * FROM devices AS d WHERE ${path} = true`, dialect)
      assert.ok(matches(query, { tags: { 'zone-1': true } }), path)
    }
  }
  assert.ok(matches(parseQuery('SELECT * WHERE reported.$version > 1', open), { reported: { $version: 2 } }))
  assert.ok(!matches(parseQuery('SELECT * WHERE missing <> 1', open), {}), 'what is not there is not unequal either')
})
