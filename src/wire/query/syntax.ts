/** A query, as it is evaluated. [service-wire §6] */
export interface Query {
  /** The collection after FROM, in lower case. */
  readonly from?: string
  readonly select: '*' | readonly Selection[]
  /** Absent: every record. */
  readonly where?: Expression
  readonly groupBy: readonly Path[]
}

/** A member, by the names on the way to it. */
export type Path = readonly string[]

/** One column of the answer: a member's value, or the number of records. */
export type Selection =
  { readonly is: 'path'; readonly path: Path; readonly name: string } | { readonly is: 'count'; readonly name: string }

export type Literal = string | number | boolean | null

export type Operator = '=' | '!=' | '<' | '<=' | '>' | '>='

/** What is asked of a member; the last two look for a text in it. */
export type FunctionName = 'is_defined' | 'is_null' | 'startswith' | 'endswith'

export type Expression =
  | { readonly is: 'and' | 'or'; readonly operands: readonly Expression[] }
  | { readonly is: 'not'; readonly operand: Expression }
  | { readonly is: 'compare'; readonly path: Path; readonly operator: Operator; readonly literal: Literal }
  | { readonly is: 'in'; readonly path: Path; readonly literals: readonly Literal[] }
  | { readonly is: 'call'; readonly name: FunctionName; readonly path: Path; readonly text: string }
