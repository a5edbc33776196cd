import { sql, type Compilable, type RawBuilder } from 'kysely'

/** A value that a column can hold. */
export type Value = string | number | null

/** A row as a driver gives it. */
export type Row = Readonly<Record<string, unknown>>

/** SQL compiled once, with the names of its parameters in their order. */
export interface Statement {
  readonly sql: string
  readonly parameters: readonly (Placeholder | Value)[]
}

/** Stands in a query for a value that each run supplies by name. */
class Placeholder {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** A named parameter, with the type that its place in the query wants. */
export function parameter<T extends Value>(name: string): RawBuilder<T> {
  return sql<T>`${new Placeholder(name)}`
}

/** Compile a query once; it is run any number of times with `bind`. */
export function statement(query: Compilable): Statement {
  const compiled = query.compile()
  return { sql: compiled.sql, parameters: compiled.parameters as readonly (Placeholder | Value)[] }
}

/** The parameters of one run, in the order of the SQL. Throws if one is missing. */
export function bind({ sql: text, parameters }: Statement, values: Readonly<Record<string, Value>>): Value[] {
  return parameters.map((parameter) => {
    if (!(parameter instanceof Placeholder)) return parameter
    const value = values[parameter.name]
    if (value === undefined) throw new TypeError(`no value for ${parameter.name} in ${text}`)
    return value
  })
}

/** Runs queries. */
export interface Querier {
  readonly all: (statement: Statement, values: Readonly<Record<string, Value>>) => Promise<readonly Row[]>
  readonly get: (statement: Statement, values: Readonly<Record<string, Value>>) => Promise<Row | undefined>
}

/** Notes down the writes of a transaction; `expect` is the number of rows that the write must change. */
export type Recorder = (statement: Statement, values: Readonly<Record<string, Value>>, expect?: number) => void
