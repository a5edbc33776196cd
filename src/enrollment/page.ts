import { setImmediate } from 'node:timers/promises'
import type { JsonObject } from '../base/json.ts'
import type { Slice } from '../store/store.ts'
import { readContinuation, writeContinuation, type Question } from './continuation.ts'
import type { EnrollingInstance } from './enrolling-instance.ts'
import type { MemberTree } from '../base/member-tree.ts'
import { matches, project } from '../wire/query/evaluate.ts'
import { groupsOf } from '../wire/query/groups.ts'
import { isAggregate } from '../wire/query/parse.ts'
import type { Query } from '../wire/query/syntax.ts'
import { QueryFault } from '../wire/query/tokens.ts'
import { refusalOf, understandQuery } from './query/understand.ts'

/** A collection that can be asked, in the order of its keys. */
export interface Queryable<T> {
  readonly name: string
  /** What its records may have. */
  readonly members: MemberTree
  readonly slice: (slice: Slice) => Promise<readonly T[]>
  readonly keyOf: (record: T) => string
  readonly json: (record: T) => JsonObject
}

export interface PageRequest {
  readonly query: string
  /** Most records on the page. */
  readonly limit: number
  readonly continuation?: string | undefined
}

export interface Page {
  readonly items: readonly JsonObject[]
  /** Present only if there may be more. */
  readonly continuation?: string
  /** Whether the items are whole records, and not columns or counts. */
  readonly whole: boolean
  /** Why everything is listed, although the query said something else. */
  readonly notUnderstood?: string | undefined
}

/** Records read for one page before it is cut short, and for one aggregate before it is refused. */
const most = { page: 10_000, aggregate: 200_000 }
const sliceOfScan = 250
/**
 * Characters of JSON: a page ends with the record that goes beyond them, and an aggregate that does is refused. A query may show a
 * large member in hundreds of columns, which no bound of what is stored knows of.
 */
const longestPage = 8 << 20

/**
 * One page of the collection's records that meet the query. Records that come and go between pages neither repeat nor
 * hide others. A page may be short, even empty, and still have a continuation. [service-wire §6]
 */
export async function queryPage<T>(
  collection: Queryable<T>,
  { query: text, limit, continuation }: PageRequest,
  { idScope, store, rules }: Pick<EnrollingInstance, 'idScope' | 'store' | 'rules'>,
): Promise<Page> {
  const { query, notUnderstood } = understandQuery(text, collection.members, rules.refuseUnknownQueries)
  const question: Question = { idScope, collection: collection.name, query: text }
  const start = continuation === undefined ? '' : await readContinuation(question, continuation, store)
  if (isAggregate(query)) {
    const items = await aggregate(query, collection).catch((thrown: unknown) => {
      throw refusalOf(thrown)
    })
    return { items, whole: false }
  }
  const { items, after } = await scan(query, collection, start, limit)
  return {
    items,
    whole: query.select === '*',
    notUnderstood,
    ...(after !== undefined && { continuation: await writeContinuation(question, after, store) }),
  }
}

async function scan<T>(
  query: Query,
  { slice, keyOf, json }: Queryable<T>,
  start: string,
  limit: number,
): Promise<{ items: JsonObject[]; after?: string }> {
  const items: JsonObject[] = []
  let length = 0
  let lastItem = start
  let after = start
  for (let scanned = 0; ;) {
    // One more than the page shows whether there is another page.
    const size = query.where ? sliceOfScan : limit + 1 - items.length
    const records = await slice({ after, limit: size })
    for (const record of records) {
      after = keyOf(record)
      const item = json(record)
      if (!matches(query, item)) continue
      if (items.length === limit || length > longestPage) return { items, after: lastItem }
      const shown = project(query, item)
      items.push(shown)
      length += JSON.stringify(shown).length
      lastItem = after
    }
    if (records.length < size) return { items }
    scanned += records.length
    if (scanned >= most.page) return { items, after }
    await setImmediate()
  }
}

async function aggregate<T>(query: Query, { slice, keyOf, json }: Queryable<T>): Promise<JsonObject[]> {
  const groups = groupsOf(query)
  let after = ''
  for (let scanned = 0; scanned < most.aggregate; scanned += sliceOfScan) {
    const records = await slice({ after, limit: sliceOfScan })
    for (const record of records) {
      after = keyOf(record)
      const item = json(record)
      if (matches(query, item)) groups.add(item)
    }
    if (records.length < sliceOfScan) return shortEnough(groups.rows())
    await setImmediate()
  }
  throw new QueryFault(`counting more than ${most.aggregate} records`)
}

function shortEnough(rows: JsonObject[]): JsonObject[] {
  let length = 0
  for (const row of rows) {
    length += JSON.stringify(row).length
    if (length > longestPage) throw new QueryFault(`an answer longer than ${longestPage} characters`)
  }
  return rows
}
