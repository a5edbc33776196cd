import { Refusal } from '../../model/refusal.ts'
import type { MemberTree } from '../../base/member-tree.ts'
import { parseQuery, type Dialect } from '../../wire/query/parse.ts'
import type { Query } from '../../wire/query/syntax.ts'
import { QueryFault } from '../../wire/query/tokens.ts'

/** How enrollments and registrations are asked for. What stands after FROM is decoration: the URL decides. [service-wire §6] */
const dialect: Omit<Dialect, 'members'> = {
  longest: 4096,
  collections: ['enrollments', 'enrollmentgroups', 'deviceregistrations', 'registrations', 'devices'],
  functions: ['is_defined', 'startswith'],
  columns: true,
}

/** A query, and why it asks for everything where the text said something else. */
export interface Understood {
  readonly query: Query
  readonly notUnderstood?: string
}

const everything: Query = { select: '*', groupBy: [] }

/**
 * What a text asks of a collection. The real service was seen to list everything whatever the text says, so what is understood
 * filters, and what is not lists everything, with the reason; or, where a deployment wants that, is refused. [service-wire §6]
 */
export function understandQuery(text: string, members: MemberTree, refuse: boolean | undefined): Understood {
  try {
    const asked = unwrapped(text)
    return { query: /^\s*\*?\s*$/.test(asked) ? everything : parseQuery(asked, { ...dialect, members }) }
  } catch (error) {
    if (refuse || !(error instanceof QueryFault)) throw refusalOf(error)
    return { query: everything, notUnderstood: error.message }
  }
}

/** What was thrown at a query, as the refusal of it: what is wrong stands in the message and in `info`. [service-wire §6] */
export function refusalOf(thrown: unknown): unknown {
  if (!(thrown instanceof QueryFault)) return thrown
  const { message: detail } = thrown
  return new Refusal('QueryMalformed', detail, {
    said: `Bad Request: the query is not understood: ${detail}.`,
    info: { query: detail },
  })
}

const wrapping = /^\s*\{.{0,200}?(['"])query\1\s*:\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")/su

/** The Azure CLI's extension sends its query object as Python shows it: `{'additional_properties': {}, 'query': 'SELECT *'}`. */
function unwrapped(text: string): string {
  const quoted = text.length > 8192 ? undefined : wrapping.exec(text)?.[2]
  return quoted === undefined ? text : quoted.slice(1, -1).replaceAll(/\\(.)/gsu, '$1')
}
