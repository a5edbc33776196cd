import { sql, type Kysely, type RawBuilder, type SqlBool } from 'kysely'
import type { ListedRevocation } from '../../model/revocation.ts'
import type { Reader, Writer } from '../store.ts'
import type { Tables } from './schema.ts'
import { parameter, statement, type Querier, type Recorder, type Row } from './statement.ts'

/** What the imported revocation lists of each instance revoke: a row for each certificate of each list. */
export function listedRevocationsTable(db: Kysely<Tables>) {
  const all = db
    .selectFrom('listed_revocations')
    .select(['authority', 'serial', 'list', 'document'])
    .where('id_scope', '=', parameter<string>('idScope'))
  const statements = {
    any: statement(all.limit(1)),
    under: statement(
      all
        .where('authority', '=', parameter<string>('authority'))
        .where('serial', '=', parameter<string>('serialNumber'))
        .orderBy('list'),
    ),
    slice: statement(
      all
        .where(isAfter(['authority', 'serial', 'list'], ['authority', 'serialNumber', 'list']))
        .orderBy('authority')
        .orderBy('serial')
        .orderBy('list')
        .limit(parameter<number>('limit')),
    ),
    sliceOfList: statement(
      all
        .where('list', '=', parameter<string>('list'))
        .where(isAfter(['authority', 'serial'], ['authority', 'serialNumber']))
        .orderBy('authority')
        .orderBy('serial')
        .limit(parameter<number>('limit')),
    ),
    put: statement(
      db
        .insertInto('listed_revocations')
        .values({
          id_scope: parameter('idScope'),
          authority: parameter('authority'),
          serial: parameter('serialNumber'),
          list: parameter('list'),
          document: parameter('document'),
        })
        .onConflict((conflict) =>
          conflict
            .columns(['id_scope', 'authority', 'serial', 'list'])
            .doUpdateSet((update) => ({ document: update.ref('excluded.document') })),
        ),
    ),
    delete: statement(
      db
        .deleteFrom('listed_revocations')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('authority', '=', parameter<string>('authority'))
        .where('serial', '=', parameter<string>('serialNumber'))
        .where('list', '=', parameter<string>('list')),
    ),
    deleteList: statement(
      db
        .deleteFrom('listed_revocations')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('list', '=', parameter<string>('list')),
    ),
  }

  return {
    any: async (query: Querier, idScope: string) => (await query.get(statements.any, { idScope })) !== undefined,
    reader: (query: Querier): Reader['listedRevocations'] => ({
      under: async (idScope, authority, serialNumber) =>
        (await query.all(statements.under, { idScope, authority, serialNumber })).map(read),
      slice: async (idScope, { after, limit }) =>
        (await query.all(statements.slice, { idScope, ...place(after), limit })).map(read),
      sliceOfList: async (idScope, list, { after, limit }) =>
        (await query.all(statements.sliceOfList, { idScope, ...place(after), list: list.toLowerCase(), limit })).map(
          read,
        ),
    }),
    writer: (record: Recorder): Writer['listedRevocations'] => ({
      put: (idScope, { list, authority, serialNumber, ...rest }) =>
        record(statements.put, {
          idScope,
          list: list.toLowerCase(),
          authority,
          serialNumber,
          document: JSON.stringify(rest),
        }),
      delete: (idScope, { list, authority, serialNumber }) =>
        record(statements.delete, { idScope, list: list.toLowerCase(), authority, serialNumber }),
      deleteList: (idScope, list) => record(statements.deleteList, { idScope, list: list.toLowerCase() }),
    }),
  }
}

/** Where a slice begins: after this row, or at the beginning. */
function place(after: Pick<ListedRevocation, 'authority' | 'serialNumber' | 'list'> | undefined) {
  const { authority = '', serialNumber = '', list = '' } = after ?? {}
  return { authority, serialNumber, list: list.toLowerCase() }
}

/** Whether a row stands after another in the order of these columns. */
function isAfter(columns: readonly string[], parameters: readonly string[]): RawBuilder<SqlBool> {
  const left = sql.join(columns.map((column) => sql.ref(column)))
  const right = sql.join(parameters.map((name) => parameter<string>(name)))
  return sql<SqlBool>`(${left}) > (${right})`
}

function read({ authority, serial, list, document }: Row): ListedRevocation {
  const rest = JSON.parse(String(document)) as Omit<ListedRevocation, 'authority' | 'serialNumber' | 'list'>
  return { authority: String(authority), serialNumber: String(serial), list: String(list), ...rest }
}
