import type { Expression, Literal, Operator, Path, Query, Selection } from './syntax.ts'
import type { MemberTree } from '../../model/members.ts'
import { knownPath } from './members.ts'
import { queryRefusal, tokenize, type Token } from './tokens.ts'
import { quoted } from '../../base/printable.ts'

const collections = ['enrollments', 'enrollmentgroups', 'deviceregistrations', 'registrations', 'devices']
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

/**
 * Read a query: empty, or `SELECT … [FROM …] [WHERE …] [GROUP BY …]`, perhaps with a semicolon. The name after FROM is
 * decoration, the URL decides; it, or its alias, may stand before a member. Refuses everything else, and members that no record
 * of the collection has; bounded in length and depth. [service-wire §6]
 */
export function parseQuery(text: string, members: MemberTree): Query {
  const tokens = tokenize(text)
  let at = 0
  let depth = 0
  /** What may stand before a member, as in `enrollments.deviceId`. */
  const qualifiers = new Set(collections)

  const next = (): Token | undefined => tokens[at]
  const unexpected = () => {
    const token = next()
    return queryRefusal(token ? `unexpected ${quoted(token.text, 40)} at ${token.at}` : 'unexpected end')
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
    if (tokens.length === 0) return { select: '*', groupBy: [] }
    expectWord('select')
    const select = takeSymbol('*') ? '*' : separated(selection)
    if (takeWord('from')) source()
    const where = takeWord('where') ? expression() : undefined
    const groupBy = takeWord('group') ? (expectWord('by'), separated(path)) : []
    takeSymbol(';')
    if (next()) throw unexpected()
    const columns =
      select === '*' ? select : named(select.map(({ path: of, alias }) => ({ path: of && known(of), alias })))
    return checkColumns({ select: columns, ...(where && { where }), groupBy: groupBy.map(known) })
  }

  function source(): void {
    const name = expect('word')
    if (!collections.includes(name.toLowerCase())) throw queryRefusal(`there is no collection ${quoted(name, 40)}`)
    const aliased = takeWord('as') || (next()?.is === 'word' && !reserved.has(next()!.text.toLowerCase()))
    if (aliased) qualifiers.add(expect('word').toLowerCase())
  }

  /** The member as records spell it; a path that leads nowhere would filter everything away without a word. */
  function known(path: Path): Path {
    const [first = '', ...rest] = path
    const found =
      knownPath(path, members) ?? (qualifiers.has(first.toLowerCase()) ? knownPath(rest, members) : undefined)
    if (!found || found.length === 0) throw queryRefusal(`no record has the member ${quoted(path.join('.'), 100)}`)
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
      if (takeSymbol('.')) names.push(expect('word'))
      else if (takeSymbol('[')) {
        names.push(expect('string'))
        expectSymbol(']')
      } else return names
    }
  }

  function expression(): Expression {
    if (++depth > deepest) throw queryRefusal(`nested deeper than ${deepest} levels`)
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
    const name = expect('word').toLowerCase()
    expectSymbol('(')
    const of = known(path())
    if (name === 'is_defined') {
      expectSymbol(')')
      return { is: 'defined', path: of }
    }
    if (name !== 'startswith') throw queryRefusal('unknown function')
    expectSymbol(',')
    const prefix = expect('string')
    expectSymbol(')')
    return { is: 'startsWith', path: of, prefix }
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
    if (groupBy.length > 0) throw queryRefusal('SELECT * does not go with GROUP BY')
    return query
  }
  if (new Set(select.map(({ name }) => name)).size < select.length) throw queryRefusal('two columns of one name')
  if (isAggregate(query)) {
    const grouped = new Set(groupBy.map((path) => JSON.stringify(path)))
    const stray = select.some((column) => column.is === 'path' && !grouped.has(JSON.stringify(column.path)))
    if (stray) throw queryRefusal('a column is neither grouped nor counted')
  }
  return query
}

/** True if the answer has a row for each group of records instead of one for each record. */
export function isAggregate({ select, groupBy }: Query): boolean {
  return groupBy.length > 0 || (select !== '*' && select.some(({ is }) => is === 'count'))
}
