import { sql, type Kysely } from 'kysely'
import { registrationKey, type IdScope } from '../../model/identifiers.ts'
import type { Operation, Registration } from '../../model/registration.ts'
import type { Reader, Writer } from '../store.ts'
import type { Tables } from './schema.ts'
import { parameter, statement, type Querier, type Recorder, type Row } from './statement.ts'

/** The tables of registrations and of the operations that wrote them. */
export function registrationsTables(db: Kysely<Tables>) {
  const registrations = {
    get: statement(
      db
        .selectFrom('registrations')
        .select('document')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('key', '=', parameter<string>('key')),
    ),
    count: statement(
      db
        .selectFrom('registrations')
        .select((of) => of.fn.countAll<number>().as('count'))
        .where('id_scope', '=', parameter<string>('idScope')),
    ),
    sliceOfGroup: statement(
      db
        .selectFrom('registrations')
        .select('document')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('group_key', '=', parameter<string>('group'))
        .where('key', '>', parameter<string>('after'))
        .orderBy('key')
        .limit(parameter<number>('limit')),
    ),
    sliceOfHub: statement(
      db
        .selectFrom('registrations')
        .select('document')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('assigned_hub', '=', parameter<string>('hub'))
        .where('key', '>', parameter<string>('after'))
        .orderBy('key')
        .limit(parameter<number>('limit')),
    ),
    create: statement(
      db
        .insertInto('registrations')
        .values({
          id_scope: parameter('idScope'),
          key: parameter('key'),
          group_key: parameter('group'),
          assigned_hub: parameter('hub'),
          document: parameter('document'),
          etag: parameter('etag'),
        })
        .onConflict((conflict) => conflict.doNothing()),
    ),
    replace: statement(
      db
        .updateTable('registrations')
        .set({
          group_key: parameter<string>('group'),
          assigned_hub: parameter<string>('hub'),
          document: parameter<string>('document'),
          etag: parameter<string>('etag'),
        })
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('key', '=', parameter<string>('key'))
        .where('etag', '=', parameter<string>('replaces')),
    ),
    delete: statement(
      db
        .deleteFrom('registrations')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('key', '=', parameter<string>('key')),
    ),
    deleteExpected: statement(
      db
        .deleteFrom('registrations')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('key', '=', parameter<string>('key'))
        .where('etag', '=', parameter<string>('expected')),
    ),
  }
  const operations = {
    get: statement(
      db
        .selectFrom('operations')
        .select('document')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('id', '=', parameter<string>('id')),
    ),
    unfinished: statement(db.selectFrom('operations').select('document').where('status', '=', sql.lit('assigning'))),
    put: statement(
      db
        .insertInto('operations')
        .values({
          id_scope: parameter('idScope'),
          id: parameter('id'),
          status: parameter('status'),
          document: parameter('document'),
          created_at: parameter('createdAt'),
        })
        .onConflict((conflict) =>
          conflict.columns(['id_scope', 'id']).doUpdateSet((update) => ({
            status: update.ref('excluded.status'),
            document: update.ref('excluded.document'),
          })),
        ),
    ),
    expire: statement(
      db
        .deleteFrom('operations')
        .where('created_at', '<', parameter<number>('before'))
        .where('status', '<>', sql.lit('assigning')),
    ),
  }

  return {
    registrations: (query: Querier): Reader['registrations'] => ({
      get: async (idScope, registrationId) => {
        const row = await query.get(registrations.get, { idScope, key: registrationKey(registrationId) })
        return row && toRegistration(row)
      },
      count: async (idScope) => Number((await query.get(registrations.count, { idScope }))?.['count'] ?? 0),
      sliceOfGroup: async (idScope, enrollmentGroupId, slice) => {
        const group = registrationKey(enrollmentGroupId)
        return (await query.all(registrations.sliceOfGroup, { idScope, group, ...slice })).map(toRegistration)
      },
      sliceOfHub: async (idScope, hostName, slice) => {
        const hub = hostName.toLowerCase()
        return (await query.all(registrations.sliceOfHub, { idScope, hub, ...slice })).map(toRegistration)
      },
    }),
    operations: (query: Querier): Reader['operations'] => ({
      get: async (idScope, id) => {
        const row = await query.get(operations.get, { idScope, id })
        return row && toOperation(row)
      },
      unfinished: async () => (await query.all(operations.unfinished, {})).map(toOperation),
    }),

    registrationWriter: (record: Recorder): Writer['registrations'] => ({
      put: (idScope, registration, replaces) => {
        const row = toRow(idScope, registration)
        if (replaces === undefined) record(registrations.create, row, 1)
        else record(registrations.replace, { ...row, replaces }, 1)
      },
      delete: (idScope, registrationId, expected) => {
        const key = registrationKey(registrationId)
        if (expected === undefined) record(registrations.delete, { idScope, key })
        else record(registrations.deleteExpected, { idScope, key, expected }, 1)
      },
    }),
    operationWriter: (record: Recorder): Writer['operations'] => ({
      put: (operation) => {
        const { idScope, id, status, createdAt } = operation
        record(operations.put, { idScope, id, status, document: JSON.stringify(operation), createdAt })
      },
      expire: (before) => record(operations.expire, { before }),
    }),
  }
}

function toRow(idScope: IdScope, registration: Registration) {
  const { registrationId, enrollmentGroupId, assignment, etag } = registration
  return {
    idScope,
    key: registrationKey(registrationId),
    group: enrollmentGroupId === undefined ? null : registrationKey(enrollmentGroupId),
    hub: assignment?.assignedHub.toLowerCase() ?? null,
    document: JSON.stringify(registration),
    etag,
  }
}

function toRegistration({ document }: Row): Registration {
  return JSON.parse(String(document)) as Registration
}

function toOperation({ document }: Row): Operation {
  return JSON.parse(String(document)) as Operation
}
