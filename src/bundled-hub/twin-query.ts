import { setImmediate as turn } from 'node:timers/promises'
import type { JsonObject } from '../base/json.ts'
import { matches } from '../wire/query/evaluate.ts'
import { parseQuery, type Dialect } from '../wire/query/parse.ts'
import type { Query } from '../wire/query/syntax.ts'
import { QueryFault } from '../wire/query/tokens.ts'
import type { Hub } from './hub.ts'
import { HubRefusal } from './hub-refusal.ts'
import { listDevices, listModules, type Registered } from './identity-table.ts'
import { presenceOf } from './presence.ts'
import { twinJson } from './twin.ts'

const batch = 200

/** `SELECT * FROM devices[.modules] [WHERE …]`, over whatever a twin has. [service-wire §13.4] */
const dialect: Dialect = {
  longest: 8192,
  collections: ['devices', 'devices.modules'],
  members: 'any',
  functions: ['is_defined', 'is_null', 'startswith', 'endswith'],
  columns: false,
}

/** The query; refuses with ArgumentInvalid. */
export function twinQuery(text: string): Query {
  try {
    return parseQuery(text, dialect)
  } catch (thrown) {
    if (!(thrown instanceof QueryFault)) throw thrown
    throw new HubRefusal('ArgumentInvalid', `the query is not understood: ${thrown.message}`)
  }
}

/** The query for the devices that a condition holds for, all of them for `*`; refuses with ArgumentInvalid. */
export function conditionQuery(condition: string): Query {
  const isAll = condition.trim() === '' || condition.trim() === '*'
  return twinQuery(isAll ? 'SELECT * FROM devices' : `SELECT * FROM devices WHERE ${condition}`)
}

/** Where a page ends. */
export type Cursor = readonly [device: string, module: string]

/** Twins that a query finds after a cursor, and where to go on; one more is looked for, to know whether there is more. */
export async function twinPage(
  hub: Hub,
  query: Query,
  start: Cursor,
  size: number,
): Promise<{ items: JsonObject[]; last: Cursor | undefined }> {
  const found: JsonObject[] = []
  let after = start
  let lastTaken = start
  for (;;) {
    const rows =
      query.from === 'devices.modules'
        ? listModules(hub.database, hub.name, after, batch)
        : listDevices(hub.database, hub.name, after[0], batch)
    for (const row of rows) {
      after = [row.identity.deviceId, row.identity.moduleId]
      const twin = view(hub, row)
      if (!matches(query, twin)) continue
      if (found.length === size) return { items: found, last: lastTaken }
      found.push(twin)
      lastTaken = after
    }
    if (rows.length < batch) return { items: found, last: undefined }
    // A long search must not keep devices waiting.
    await turn()
  }
}

function view(hub: Hub, { identity, twin }: Registered): JsonObject {
  return twinJson(identity, twin, presenceOf(hub, identity))
}
