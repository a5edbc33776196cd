import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts'
import type { Expression, FunctionName, Literal, Operator, Path, Query } from './syntax.ts'

/** True if the record meets the condition. A comparison with what the record lacks is neither true nor false. */
export function matches({ where }: Query, record: JsonObject): boolean {
  return where === undefined || evaluate(where, record) === true
}

/** The row of a record; the record itself for `*`. Columns that it lacks are left out. */
export function project({ select }: Query, record: JsonObject): JsonObject {
  if (select === '*') return record
  return Object.fromEntries(
    select.map((column) => [column.name, column.is === 'path' ? valueAt(record, column.path) : undefined]),
  )
}

/** The value at the path, or undefined if the record has none; never anything inherited. */
export function valueAt(record: JsonObject, path: Path): Json | undefined {
  let value: Json | undefined = record
  for (const name of path) {
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return value
}

/** Three-valued, as SQL is: undefined where nothing can be said. */
function evaluate(expression: Expression, record: JsonObject): boolean | undefined {
  switch (expression.is) {
    case 'and':
      return all(expression.operands, record, true)
    case 'or':
      return all(expression.operands, record, false)
    case 'not': {
      const value = evaluate(expression.operand, record)
      return value === undefined ? undefined : !value
    }
    case 'compare':
      return compare(valueAt(record, expression.path), expression.operator, expression.literal)
    case 'in': {
      const value = valueAt(record, expression.path)
      const outcomes = expression.literals.map((literal) => compare(value, '=', literal))
      return outcomes.includes(true) ? true : outcomes.includes(undefined) ? undefined : false
    }
    case 'call':
      return call(expression.name, valueAt(record, expression.path), expression.text)
  }
}

function call(name: FunctionName, value: Json | undefined, text: string): boolean | undefined {
  switch (name) {
    case 'is_defined':
      return value !== undefined
    case 'is_null':
      return value === null
    case 'startswith':
      return typeof value === 'string' ? value.startsWith(text) : undefined
    case 'endswith':
      return typeof value === 'string' ? value.endsWith(text) : undefined
  }
}

/** AND (`unit` true) or OR (`unit` false): decided by one operand that is not the unit, else unknown if one is. */
function all(operands: readonly Expression[], record: JsonObject, unit: boolean): boolean | undefined {
  let outcome: boolean | undefined = unit
  for (const operand of operands) {
    const value = evaluate(operand, record)
    if (value === !unit) return !unit
    if (value === undefined) outcome = undefined
  }
  return outcome
}

function compare(value: Json | undefined, operator: Operator, literal: Literal): boolean | undefined {
  // Absent members are not written, so that null means absent, as in every request. [service-wire §2.4]
  if (literal === null) return equality(operator, value === undefined || value === null)
  if (value === undefined || value === null) return undefined
  if (typeof value !== typeof literal) return equality(operator, false)
  if (operator === '=' || operator === '!=') return equality(operator, value === literal)
  if (typeof value === 'string' && typeof literal === 'string') return ordering(operator, value, literal)
  if (typeof value === 'number' && typeof literal === 'number') return ordering(operator, value, literal)
  return undefined
}

function equality(operator: Operator, equal: boolean): boolean | undefined {
  return operator === '=' ? equal : operator === '!=' ? !equal : undefined
}

function ordering<T extends string | number>(operator: '<' | '<=' | '>' | '>=', value: T, literal: T): boolean {
  switch (operator) {
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
