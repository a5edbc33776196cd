import { createHash } from 'node:crypto'
import { sql, type Kysely } from 'kysely'
import { registrationKey } from '../../model/identifiers.ts'
import { rootKeysKept, type Reader, type Writer } from '../store.ts'
import type { Tables } from './schema.ts'
import { parameter, statement, type Querier, type Recorder } from './statement.ts'

/** The table of storage root keys that TPMs presented with their requests for a challenge. */
export function rootKeysTable(db: Kysely<Tables>) {
  const ofDevice = db
    .selectFrom('tpm_root_keys')
    .where('id_scope', '=', parameter<string>('idScope'))
    .where('key', '=', parameter<string>('key'))
  const deletion = db
    .deleteFrom('tpm_root_keys')
    .where('id_scope', '=', parameter<string>('idScope'))
    .where('key', '=', parameter<string>('key'))
  const compiled = {
    of: statement(
      ofDevice.select(['root_key', 'proven']).orderBy('presented_at', 'desc').orderBy('digest').limit(rootKeysKept),
    ),
    put: statement(
      db
        .insertInto('tpm_root_keys')
        .values({
          id_scope: parameter('idScope'),
          key: parameter('key'),
          digest: parameter('digest'),
          root_key: parameter('rootKey'),
          presented_at: parameter('at'),
          proven: parameter<number>('proven'),
        })
        .onConflict((conflict) =>
          conflict.columns(['id_scope', 'key', 'digest']).doUpdateSet((update) => ({
            presented_at: update.ref('excluded.presented_at'),
            // What was proven once stays so.
            proven: sql<number>`max(tpm_root_keys.proven, excluded.proven)`,
          })),
        ),
    ),
    deleteBeyond: statement(
      deletion.where('digest', 'not in', () =>
        ofDevice
          .select('digest')
          .orderBy('proven', 'desc')
          .orderBy('presented_at', 'desc')
          .orderBy('digest')
          .limit(rootKeysKept),
      ),
    ),
    deleteOthers: statement(deletion.where('digest', '<>', parameter<string>('digest'))),
    deleteAll: statement(deletion),
  }

  return {
    reader: (query: Querier): Reader['rootKeys'] => ({
      of: async (idScope, registrationId) => {
        const rows = await query.all(compiled.of, { idScope, key: registrationKey(registrationId) })
        return rows.map((row) => ({
          rootKey: Buffer.from(String(row['root_key']), 'base64'),
          proven: row['proven'] === 1,
        }))
      },
    }),
    writer: (record: Recorder): Writer['rootKeys'] => {
      const put = (idScope: string, registrationId: string, rootKey: Buffer, at: number, proven: number) => {
        const row = { idScope, key: registrationKey(registrationId), digest: digest(rootKey) }
        record(compiled.put, { ...row, rootKey: rootKey.toString('base64'), at, proven })
        return row
      }
      return {
        put: (...presented) => record(compiled.deleteBeyond, put(...presented, 0)),
        prove: (...proven) => record(compiled.deleteOthers, put(...proven, 1)),
      }
    },
    /** With the enrollment of the device. */
    delete: (record: Recorder, idScope: string, key: string) => record(compiled.deleteAll, { idScope, key }),
  }
}

function digest(rootKey: Buffer): string {
  return createHash('sha256').update(rootKey).digest('hex')
}
