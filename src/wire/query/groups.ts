import type { Json, JsonObject } from '../../base/json.ts'
import { valueAt } from './evaluate.ts'
import type { Query, Selection } from './syntax.ts'
import { QueryFault } from './tokens.ts'

/** Most groups that one query may make. */
const mostGroups = 1000

/** Counts records by group, and then gives the rows. */
export interface Groups {
  readonly add: (record: JsonObject) => void
  readonly rows: () => JsonObject[]
}

/** The groups of an aggregate query; without GROUP BY there is one, also of nothing. */
export function groupsOf({ select, groupBy }: Query): Groups {
  // Looked for once: a page of SELECT and GROUP BY names hundreds of columns, and there are a thousand rows.
  const columns = select === '*' ? [] : select.map((column) => ({ ...column, at: placeOf(column, groupBy) }))
  const groups = new Map<string, { values: readonly (Json | undefined)[]; count: number }>()
  if (groupBy.length === 0) groups.set('[]', { values: [], count: 0 })
  return {
    add: (record) => {
      const values = groupBy.map((path) => valueAt(record, path))
      const key = JSON.stringify(values.map((value) => (value === undefined ? [] : [value])))
      const group = groups.get(key)
      if (group) group.count++
      else if (groups.size < mostGroups) groups.set(key, { values, count: 1 })
      else throw new QueryFault(`more than ${mostGroups} groups`)
    },
    rows: () => [...groups.values()].map(({ values, count }) => row(values, count)),
  }

  function row(values: readonly (Json | undefined)[], count: number): JsonObject {
    return Object.fromEntries(columns.map(({ name, at }) => [name, at === undefined ? count : values[at]]))
  }
}

/** Which of the groups' values the column shows; undefined if it counts. */
function placeOf(column: Selection, groupBy: Query['groupBy']): number | undefined {
  if (column.is === 'count') return undefined
  const path = JSON.stringify(column.path)
  return groupBy.findIndex((grouped) => JSON.stringify(grouped) === path)
}
