import { HubRefusal } from '../hub-refusal.ts'
import { isJsonObject, type Json } from '../../base/json.ts'

/** A query that was understood. */
export interface Query {
  readonly from: 'devices' | 'devices.modules'
  readonly matches: Condition
}

type Condition = (twin: Json) => boolean
type Literal = string | number | boolean | null

const token =
  /\s*(?:(?<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*")|(?<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<sign><=|>=|!=|<>|[=<>(),.*[\]])|(?<word>[$A-Za-z_][\w$-]*))/y
const longest = 8192
const deepest = 50
const compare = ['=', '!=', '<>', '<', '<=', '>', '>='] as const
type Comparison = (typeof compare)[number]

/**
 * `SELECT * FROM devices[.modules] [WHERE condition]`: comparisons of a path with a literal, IN, AND, OR, NOT, parentheses,
 * IS_DEFINED, IS_NULL, STARTSWITH and ENDSWITH. Refuses anything else with ArgumentInvalid, naming what it did not expect.
 */
export function parseQuery(text: string): Query {
  if (text.length > longest) throw new HubRefusal('ArgumentInvalid', `the query is longer than ${longest} characters`)
  return new Parser(tokens(text)).query()
}

interface Token {
  readonly kind: 'text' | 'number' | 'sign' | 'word'
  readonly value: string
}

function tokens(text: string): Token[] {
  const found: Token[] = []
  const end = text.trimEnd().length
  token.lastIndex = 0
  while (token.lastIndex < end) {
    const at = token.lastIndex
    const groups = token.exec(text)?.groups
    if (!groups) throw unexpected(text.slice(at, at + 20).trim())
    if (groups['text'] !== undefined) found.push({ kind: 'text', value: unquoted(groups['text']) })
    else if (groups['number'] !== undefined) found.push({ kind: 'number', value: groups['number'] })
    else if (groups['sign'] !== undefined) found.push({ kind: 'sign', value: groups['sign'] })
    else if (groups['word'] !== undefined) found.push({ kind: 'word', value: groups['word'] })
  }
  return found
}

function unquoted(text: string): string {
  return text.slice(1, -1).replaceAll("''", "'").replace(/\\(.)/g, '$1')
}

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0

  constructor(read: readonly Token[]) {
    this.#tokens = read
  }

  query(): Query {
    this.#demand('select')
    this.#demand('*')
    let from: Query['from'] = 'devices'
    if (this.#takes('from')) {
      this.#demand('devices')
      if (this.#takes('.')) {
        this.#demand('modules')
        from = 'devices.modules'
      }
    }
    const matches = this.#takes('where') ? this.#either() : () => true
    const rest = this.#tokens[this.#at]
    if (rest) throw unexpected(rest.value)
    return { from, matches }
  }

  #either(): Condition {
    const left = this.#both()
    if (!this.#takes('or')) return left
    const right = this.#either()
    return (twin) => left(twin) || right(twin)
  }

  #both(): Condition {
    const left = this.#one()
    if (!this.#takes('and')) return left
    const right = this.#both()
    return (twin) => left(twin) && right(twin)
  }

  #one(): Condition {
    if (++this.#depth > deepest) throw new HubRefusal('ArgumentInvalid', 'the condition is too deep')
    const condition = this.#primary()
    this.#depth--
    return condition
  }

  #primary(): Condition {
    if (this.#takes('not')) {
      const inner = this.#one()
      return (twin) => !inner(twin)
    }
    if (this.#takes('(')) {
      const inner = this.#either()
      this.#demand(')')
      return inner
    }
    return this.#function() ?? this.#comparison()
  }

  #function(): Condition | undefined {
    if (this.#tokens[this.#at + 1]?.value !== '(') return undefined
    const name = this.#next().value.toLowerCase()
    this.#demand('(')
    const path = this.#path()
    const argument = name === 'startswith' || name === 'endswith' ? this.#argument() : ''
    this.#demand(')')
    switch (name) {
      case 'is_defined':
        return (twin) => valueAt(twin, path) !== undefined
      case 'is_null':
        return (twin) => valueAt(twin, path) === null
      case 'startswith':
        return (twin) => textAt(twin, path)?.startsWith(argument) === true
      case 'endswith':
        return (twin) => textAt(twin, path)?.endsWith(argument) === true
      default:
        throw unexpected(name)
    }
  }

  #argument(): string {
    this.#demand(',')
    const argument = this.#literal()
    if (typeof argument !== 'string') throw unexpected(String(argument))
    return argument
  }

  #comparison(): Condition {
    const path = this.#path()
    const negated = this.#takes('not')
    if (negated || this.#is('in')) {
      this.#demand('in')
      const list = this.#list()
      return (twin) => list.some((literal) => holds(valueAt(twin, path), '=', literal)) !== negated
    }
    const { value } = this.#next()
    const sign = compare.find((known) => known === value)
    if (!sign) throw unexpected(value)
    const literal = this.#literal()
    return (twin) => holds(valueAt(twin, path), sign, literal)
  }

  #list(): Literal[] {
    this.#demand('[')
    const list: Literal[] = []
    do list.push(this.#literal())
    while (this.#takes(','))
    this.#demand(']')
    return list
  }

  #literal(): Literal {
    const { kind, value } = this.#next()
    if (kind === 'text') return value
    if (kind === 'number') return Number(value)
    switch (value.toLowerCase()) {
      case 'true':
        return true
      case 'false':
        return false
      case 'null':
        return null
      default:
        throw unexpected(value)
    }
  }

  /** `a.b`, `a['b']`, `a.['b']`, with or without the collection in front. */
  #path(): string[] {
    const path = [this.#name()]
    for (;;) {
      const dot = this.#takes('.')
      if (this.#takes('[')) {
        const { kind, value } = this.#next()
        if (kind !== 'text') throw unexpected(value)
        path.push(value)
        this.#demand(']')
      } else if (dot) path.push(this.#name())
      else break
    }
    return path.length > 1 && path[0]?.toLowerCase() === 'devices' ? path.slice(1) : path
  }

  #name(): string {
    const { kind, value } = this.#next()
    if (kind !== 'word') throw unexpected(value)
    return value
  }

  #next(): Token {
    const next = this.#tokens[this.#at++]
    if (!next) throw unexpected('the end')
    return next
  }

  #is(word: string): boolean {
    const next = this.#tokens[this.#at]
    return next !== undefined && next.kind !== 'text' && next.value.toLowerCase() === word
  }

  #takes(word: string): boolean {
    const taken = this.#is(word)
    if (taken) this.#at++
    return taken
  }

  #demand(word: string): void {
    if (!this.#takes(word)) throw unexpected(this.#next().value)
  }
}

function valueAt(twin: Json, path: readonly string[]): Json | undefined {
  let value: Json | undefined = twin
  for (const name of path) {
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return value
}

function textAt(twin: Json, path: readonly string[]): string | undefined {
  const value = valueAt(twin, path)
  return typeof value === 'string' ? value : undefined
}

/** Values of different kinds are unequal and have no order. */
function holds(value: Json | undefined, sign: Comparison, literal: Literal): boolean {
  if (sign === '!=' || sign === '<>') return value !== literal
  if (sign === '=') return value === literal
  if (value === null || literal === null || typeof value !== typeof literal) return false
  if (typeof value !== 'number' && typeof value !== 'string') return false
  switch (sign) {
    case '<':
      return value < literal
    case '<=':
      return value <= literal
    case '>':
      return value > literal
    case '>=':
      return value >= literal
  }
}

function unexpected(what: string): HubRefusal {
  return new HubRefusal('ArgumentInvalid', `the query is not understood at: ${what.slice(0, 40)}`)
}
