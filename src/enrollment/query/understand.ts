import { Refusal } from '../../model/refusal.ts'
import { parseQuery } from './parse.ts'
import type { MemberTree } from '../../model/members.ts'
import type { Query } from './syntax.ts'

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
    return { query: asked.trim() === '*' ? everything : parseQuery(asked, members) }
  } catch (error) {
    if (refuse || !(error instanceof Refusal)) throw error
    return { query: everything, notUnderstood: error.detail }
  }
}

const wrapping = /^\s*\{.{0,200}?(['"])query\1\s*:\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")/su

/** The Azure CLI's extension sends its query object as Python shows it: `{'additional_properties': {}, 'query': 'SELECT *'}`. */
function unwrapped(text: string): string {
  const quoted = text.length > 8192 ? undefined : wrapping.exec(text)?.[2]
  return quoted === undefined ? text : quoted.slice(1, -1).replaceAll(/\\(.)/gsu, '$1')
}
