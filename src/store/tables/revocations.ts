import type { Kysely } from 'kysely'
import type { Revocation, RevocationList } from '../../model/revocation.ts'
import type { Reader, Writer } from '../store.ts'
import { listedRevocationsTable } from './listed-revocations.ts'
import type { Tables } from './schema.ts'
import { parameter, statement, type Querier, type Recorder, type Row } from './statement.ts'

/** The deny list of each instance, and the revocation lists that parts of it came from. */
export function revocationsTables(db: Kysely<Tables>) {
  const listed = listedRevocationsTable(db)
  const revocations = {
    any: statement(
      db.selectFrom('revocations').select('key').where('id_scope', '=', parameter<string>('idScope')).limit(1),
    ),
    get: statement(
      db
        .selectFrom('revocations')
        .select('document')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('key', '=', parameter<string>('key')),
    ),
    slice: statement(
      db
        .selectFrom('revocations')
        .select('document')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('key', '>', parameter<string>('after'))
        .orderBy('key')
        .limit(parameter<number>('limit')),
    ),
    put: statement(
      db
        .insertInto('revocations')
        .values({
          id_scope: parameter('idScope'),
          key: parameter('key'),
          source: parameter('source'),
          document: parameter('document'),
        })
        .onConflict((conflict) =>
          conflict.columns(['id_scope', 'key']).doUpdateSet((update) => ({
            source: update.ref('excluded.source'),
            document: update.ref('excluded.document'),
          })),
        ),
    ),
    delete: statement(
      db
        .deleteFrom('revocations')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('key', '=', parameter<string>('key')),
    ),
    deleteFrom: statement(
      db
        .deleteFrom('revocations')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('source', '=', parameter<string>('source')),
    ),
  }
  const lists = {
    all: statement(
      db
        .selectFrom('revocation_lists')
        .select('document')
        .where('id_scope', '=', parameter<string>('idScope'))
        .orderBy('key'),
    ),
    put: statement(
      db
        .insertInto('revocation_lists')
        .values({ id_scope: parameter('idScope'), key: parameter('key'), document: parameter('document') })
        .onConflict((conflict) =>
          conflict
            .columns(['id_scope', 'key'])
            .doUpdateSet((update) => ({ document: update.ref('excluded.document') })),
        ),
    ),
    delete: statement(
      db
        .deleteFrom('revocation_lists')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('key', '=', parameter<string>('key')),
    ),
  }

  return {
    revocations: (query: Querier): Reader['revocations'] => ({
      none: async (idScope) =>
        (await query.get(revocations.any, { idScope })) === undefined && !(await listed.any(query, idScope)),
      get: async (idScope, key) => {
        const row = await query.get(revocations.get, { idScope, key })
        return row && read<Revocation>(row)
      },
      slice: async (idScope, slice) =>
        (await query.all(revocations.slice, { idScope, ...slice })).map(read<Revocation>),
    }),
    revocationLists: (query: Querier): Reader['revocationLists'] => ({
      all: async (idScope) => (await query.all(lists.all, { idScope })).map(read<RevocationList>),
    }),
    revocationWriter: (record: Recorder): Writer['revocations'] => ({
      put: (idScope, revocation) => {
        const { key, source } = revocation
        record(revocations.put, { idScope, key, source, document: JSON.stringify(revocation) })
      },
      delete: (idScope, key) => record(revocations.delete, { idScope, key }, 1),
      deleteFrom: (idScope, source) => record(revocations.deleteFrom, { idScope, source }),
    }),
    revocationListWriter: (record: Recorder): Writer['revocationLists'] => ({
      put: (idScope, list) =>
        record(lists.put, { idScope, key: list.name.toLowerCase(), document: JSON.stringify(list) }),
      delete: (idScope, name) => record(lists.delete, { idScope, key: name.toLowerCase() }, 1),
    }),
    listedRevocations: listed.reader,
    listedRevocationWriter: listed.writer,
  }
}

function read<T>({ document }: Row): T {
  return JSON.parse(String(document)) as T
}
