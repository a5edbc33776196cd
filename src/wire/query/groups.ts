import type { Json, JsonObject } from '../../base/json.ts'
import { valueAt } from './evaluate.ts'
import type { Query } from './syntax.ts'
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
    if (select === '*') return {}
    const at = (path: readonly string[]) =>
      groupBy.findIndex((grouped) => JSON.stringify(grouped) === JSON.stringify(path))
    return Object.fromEntries(
      select.map((column) => [column.name, column.is === 'count' ? count : values[at(column.path)]]),
    )
  }
}
