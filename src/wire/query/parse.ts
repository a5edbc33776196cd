import type { Expression, FunctionName, Literal, Operator, Path, Query, Selection } from './syntax.ts'
import type { MemberTree } from '../../base/member-tree.ts'
import { knownPath } from './known-path.ts'
import { QueryFault, tokenize, type Token } from './tokens.ts'
import { quoted } from '../../base/printable.ts'

const reserved = new Set(['select', 'from', 'where', 'group', 'by', 'as', 'and', 'or', 'not', 'in'])
const operators: ReadonlyMap<string, Operator> = new Map([
  ['=', '='],
  ['!=', '!='],
  ['<>', '!='],
  ['<', '<'],
  ['<=', '<='],
  ['>', '>'],
  ['>=', '>='],
])
const deepest = 32

/** What one who asks in this language may say: every dialect has the same conditions, and they mean the same. */
export interface Dialect {
  /** In characters. */
  readonly longest: number
  /** What may stand after FROM, in lower case; words with dots between them. */
  readonly collections: readonly string[]
  /** What may be named in a record; `any`: whatever is asked for, and what a record lacks it lacks. */
  readonly members: MemberTree | 'any'
  readonly functions: readonly FunctionName[]
  /** Whether columns may be chosen, counted and grouped, or only whole records be listed. */
  readonly columns: boolean
}

/**
 * Read a query: `SELECT … [FROM …] [WHERE …] [GROUP BY …]`, perhaps with a semicolon. The collection, or its alias, may stand before a
 * member. Throws a QueryFault at everything else, and at members that no record of the collection has; bounded in length and depth.
 * [service-wire §6]
 */
export function parseQuery(text: string, dialect: Dialect): Query {
  const { collections, members, functions } = dialect
  const tokens = tokenize(text, dialect.longest)
  let at = 0
  let depth = 0
  /** What may stand before a member, as in `enrollments.deviceId`. */
  const qualifiers = new Set(collections.map((name) => name.split('.')[0]!))

  const next = (): Token | undefined => tokens[at]
  const unexpected = () => {
    const token = next()
    return new QueryFault(token ? `unexpected ${quoted(token.text, 40)} at ${token.at}` : 'unexpected end')
  }
  const isWord = (word: string, token = next()) => token?.is === 'word' && token.text.toLowerCase() === word
  const isSymbol = (symbol: string, token = next()) => token?.is === 'symbol' && token.text === symbol
  const takeWord = (word: string) => isWord(word) && (at++, true)
  const takeSymbol = (symbol: string) => isSymbol(symbol) && (at++, true)
  const expectWord = (word: string) => {
    if (!takeWord(word)) throw unexpected()
  }
  const expectSymbol = (symbol: string) => {
    if (!takeSymbol(symbol)) throw unexpected()
  }
  const expect = <T extends Token['is']>(is: T): string => {
    const token = next()
    if (token?.is !== is) throw unexpected()
    at++
    return token.text
  }
  const separated = <T>(read: () => T): T[] => {
    const items = [read()]
    while (takeSymbol(',')) items.push(read())
    return items
  }

  function query(): Query {
    expectWord('select')
    if (!dialect.columns && !isSymbol('*')) throw unexpected()
    const select = takeSymbol('*') ? '*' : separated(selection)
    const from = takeWord('from') ? source() : undefined
    const where = takeWord('where') ? expression() : undefined
    const groupBy = dialect.columns && takeWord('group') ? (expectWord('by'), separated(path)) : []
    takeSymbol(';')
    if (next()) throw unexpected()
    const columns =
      select === '*' ? select : named(select.map(({ path: of, alias }) => ({ path: of && known(of), alias })))
    return checkColumns({
      select: columns,
      ...(from !== undefined && { from }),
      ...(where && { where }),
      groupBy: groupBy.map(known),
    })
  }

  function source(): string {
    const words = [expect('word')]
    while (takeSymbol('.')) words.push(expect('word'))
    const name = words.join('.').toLowerCase()
    if (!collections.includes(name)) throw new QueryFault(`there is no collection ${quoted(name, 40)}`)
    const aliased = takeWord('as') || (next()?.is === 'word' && !reserved.has(next()!.text.toLowerCase()))
    if (aliased) qualifiers.add(expect('word').toLowerCase())
    return name
  }

  /** The member as records spell it; a path that leads nowhere would filter everything away without a word. */
  function known(path: Path): Path {
    const [first = '', ...rest] = path
    const isQualified = qualifiers.has(first.toLowerCase())
    if (members === 'any') return isQualified && rest.length > 0 ? rest : path
    const found = knownPath(path, members) ?? (isQualified ? knownPath(rest, members) : undefined)
    if (!found || found.length === 0) throw new QueryFault(`no record has the member ${quoted(path.join('.'), 100)}`)
    return found
  }

  function selection(): { readonly path?: Path | undefined; readonly alias?: string | undefined } {
    const counts = isWord('count') && isSymbol('(', tokens[at + 1])
    if (counts) {
      at += 2
      expectSymbol(')')
    }
    return { path: counts ? undefined : path(), alias: takeWord('as') ? expect('word') : undefined }
  }

  function path(): Path {
    const token = next()
    if (token?.is === 'word' && reserved.has(token.text.toLowerCase())) throw unexpected()
    const names = [expect('word')]
    for (;;) {
      const dotted = takeSymbol('.')
      if (takeSymbol('[')) {
        names.push(expect('string'))
        expectSymbol(']')
      } else if (dotted) names.push(expect('word'))
      else return names
    }
  }

  function expression(): Expression {
    if (++depth > deepest) throw new QueryFault(`nested deeper than ${deepest} levels`)
    const operands = [conjunction()]
    while (takeWord('or')) operands.push(conjunction())
    depth--
    return operands.length === 1 ? operands[0]! : { is: 'or', operands }
  }

  function conjunction(): Expression {
    const operands = [negation()]
    while (takeWord('and')) operands.push(negation())
    return operands.length === 1 ? operands[0]! : { is: 'and', operands }
  }

  function negation(): Expression {
    let negations = 0
    while (takeWord('not')) negations++
    const operand = condition()
    return negations % 2 === 0 ? operand : { is: 'not', operand }
  }

  function condition(): Expression {
    if (takeSymbol('(')) {
      const inner = expression()
      expectSymbol(')')
      return inner
    }
    if (isSymbol('(', tokens[at + 1])) return call()
    const of = known(path())
    if (isWord('not') && isWord('in', tokens[at + 1])) {
      at++
      return { is: 'not', operand: membership(of) }
    }
    if (isWord('in')) return membership(of)
    const operator = isSymbolToken(next()) ? operators.get(next()!.text) : undefined
    if (!operator) throw unexpected()
    at++
    return { is: 'compare', path: of, operator, literal: literal() }
  }

  function call(): Expression {
    const said = expect('word').toLowerCase()
    const name = functions.find((known) => known === said)
    if (!name) throw new QueryFault(`there is no function ${quoted(said, 40)}`)
    expectSymbol('(')
    const of = known(path())
    const text = name === 'startswith' || name === 'endswith' ? (expectSymbol(','), expect('string')) : ''
    expectSymbol(')')
    return { is: 'call', name, path: of, text }
  }

  function membership(of: Path): Expression {
    expectWord('in')
    expectSymbol('[')
    const literals = separated(literal)
    expectSymbol(']')
    return { is: 'in', path: of, literals }
  }

  function literal(): Literal {
    const token = next()
    if (token?.is === 'string') return (at++, token.text)
    if (token?.is === 'number') return (at++, Number(token.text))
    if (takeWord('true')) return true
    if (takeWord('false')) return false
    if (takeWord('null')) return null
    throw unexpected()
  }

  return query()
}

const isSymbolToken = (token: Token | undefined) => token?.is === 'symbol'

/** A column is called by its alias, by the last name of its path, or `$1`, `$2`, … by its place. */
function named(
  columns: readonly { readonly path?: Path | undefined; readonly alias?: string | undefined }[],
): Selection[] {
  return columns.map(({ path, alias }, index) =>
    path ? { is: 'path', path, name: alias ?? path.at(-1)! } : { is: 'count', name: alias ?? `$${index + 1}` },
  )
}

function checkColumns(query: Query): Query {
  const { select, groupBy } = query
  if (select === '*') {
    if (groupBy.length > 0) throw new QueryFault('SELECT * does not go with GROUP BY')
    return query
  }
  if (new Set(select.map(({ name }) => name)).size < select.length) throw new QueryFault('two columns of one name')
  if (isAggregate(query)) {
    const grouped = new Set(groupBy.map((path) => JSON.stringify(path)))
    const stray = select.some((column) => column.is === 'path' && !grouped.has(JSON.stringify(column.path)))
    if (stray) throw new QueryFault('a column is neither grouped nor counted')
  }
  return query
}

/** True if the answer has a row for each group of records instead of one for each record. */
export function isAggregate({ select, groupBy }: Query): boolean {
  return groupBy.length > 0 || (select !== '*' && select.some(({ is }) => is === 'count'))
}
