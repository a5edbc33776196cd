import { setImmediate as turn } from 'node:timers/promises'
import { header, type HttpRequest, type HttpResponse } from '../../wire/http.ts'
import type { Hub } from '../hub.ts'
import { HubRefusal } from '../hub-refusal.ts'
import { listDevices, listModules, type Registered } from '../identity-table.ts'
import type { Json, JsonObject } from '../../base/json.ts'
import { twinJson } from '../twin.ts'
import { matches } from '../../wire/query/evaluate.ts'
import { parseQuery, type Dialect } from '../../wire/query/parse.ts'
import type { Query } from '../../wire/query/syntax.ts'
import { QueryFault } from '../../wire/query/tokens.ts'
import { bodyObject, bounded, ok, presenceOf } from './answer.ts'

const pageSize = { usual: 100, most: 1000 }
const batch = 200

/** POST /devices/query: a page of twins; goes on where the continuation of the page before says. [service-wire §13.4] */
export async function query(hub: Hub, request: HttpRequest): Promise<HttpResponse> {
  const text = (await bodyObject(request))['query']
  if (typeof text !== 'string') throw new HubRefusal('ArgumentInvalid', 'query is not a text')
  const parsed = understood(text)
  const size = bounded(header(request, 'x-ms-max-item-count'), 'x-ms-max-item-count', pageSize.usual, pageSize.most)
  const { items, last } = await page(hub, parsed, cursor(header(request, 'x-ms-continuation')), size)
  // Without the header clients know that this page is the last: an empty one makes Node loop. [service-wire §2.3]
  const continuation: Record<string, string> = last === undefined ? {} : { 'x-ms-continuation': token(last) }
  return ok(items, { 'x-ms-item-type': 'Twin', ...continuation })
}

/** `SELECT * FROM devices[.modules] [WHERE …]`, over whatever a twin has. [service-wire §13.4] */
const dialect: Dialect = {
  longest: 8192,
  collections: ['devices', 'devices.modules'],
  members: 'any',
  functions: ['is_defined', 'is_null', 'startswith', 'endswith'],
  columns: false,
}

function understood(text: string): Query {
  try {
    return parseQuery(text, dialect)
  } catch (thrown) {
    if (!(thrown instanceof QueryFault)) throw thrown
    throw new HubRefusal('ArgumentInvalid', `the query is not understood: ${thrown.message}`)
  }
}

type Cursor = readonly [device: string, module: string]

/** One more than the page is looked for, to know whether there is another page. */
async function page(
  hub: Hub,
  query: Query,
  start: Cursor,
  size: number,
): Promise<{ items: Json[]; last: Cursor | undefined }> {
  const found: Json[] = []
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

function token(at: Cursor): string {
  return Buffer.from(JSON.stringify(at)).toString('base64url')
}

function cursor(text: string | undefined): Cursor {
  if (text === undefined || text === '') return ['', '']
  try {
    const at: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    if (Array.isArray(at) && typeof at[0] === 'string' && typeof at[1] === 'string') return [at[0], at[1]]
  } catch {
    // Not one of ours, as any other that is not.
  }
  throw new HubRefusal('ArgumentInvalid', 'x-ms-continuation is not one that this hub gave')
}
