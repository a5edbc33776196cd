import type { Kysely } from 'kysely'
import type { Reader, Writer } from '../store.ts'
import type { Tables } from './schema.ts'
import { parameter, statement, type Querier, type Recorder } from './statement.ts'

/**
 * The table of billable operations. Every node counts in rows of its own, so that nodes that share a database do not wait for
 * each other's counters; who asks is told the sum.
 */
export function usageTable(db: Kysely<Tables>) {
  const compiled = {
    between: statement(
      db
        .selectFrom('usage')
        .select((of) => ['day', 'kind', of.fn.sum<number>('operations').as('operations')])
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('day', '>=', parameter<string>('from'))
        .where('day', '<=', parameter<string>('to'))
        .groupBy(['day', 'kind'])
        .orderBy('day')
        .orderBy('kind'),
    ),
    add: statement(
      db
        .insertInto('usage')
        .values({
          id_scope: parameter('idScope'),
          day: parameter('day'),
          kind: parameter('kind'),
          node: parameter('node'),
          operations: parameter('operations'),
        })
        .onConflict((conflict) =>
          conflict.columns(['id_scope', 'day', 'kind', 'node']).doUpdateSet((update) => ({
            operations: update('usage.operations', '+', update.ref('excluded.operations')),
          })),
        ),
    ),
  }

  return {
    reader: (query: Querier): Reader['usage'] => ({
      between: async (idScope, from, to) =>
        (await query.all(compiled.between, { idScope, from, to })).map(({ day, kind, operations }) => ({
          day: String(day),
          kind: String(kind),
          operations: Number(operations),
        })),
    }),
    writer: (record: Recorder, node: string): Writer['usage'] => ({
      add: (idScope, { day, kind, operations }) => record(compiled.add, { idScope, day, kind, node, operations }),
    }),
  }
}
