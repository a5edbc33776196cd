import type { Kysely } from 'kysely'
import { longestDecisionText, type Decision, type KeptDecision } from '../../model/decision.ts'
import { registrationKey, type IdScope } from '../../model/identifiers.ts'
import type { Reader, Writer } from '../store.ts'
import type { Tables } from './schema.ts'
import { parameter, statement, type Querier, type Recorder, type Row } from './statement.ts'

/** The table of decision records. Their IDs begin with the time, so that the order of the key is the order of time. */
export function decisionsTable(db: Kysely<Tables>) {
  const ofInstance = db.selectFrom('decisions').where('id_scope', '=', parameter<string>('idScope'))
  const newestFirst = ofInstance
    .select(['id', 'document'])
    .where('id', '<', parameter<string>('before'))
    .orderBy('id', 'desc')
    .limit(parameter<number>('limit'))
  const compiled = {
    all: statement(newestFirst),
    ofRegistration: statement(newestFirst.where('key', '=', parameter<string>('key'))),
    ofTrackingId: statement(newestFirst.where('tracking_id', '=', parameter<string>('trackingId'))),
    scopeAfter: statement(
      db
        .selectFrom('decisions')
        .select((of) => of.fn.min<string>('id_scope').as('id_scope'))
        .where('id_scope', '>', parameter<string>('idScope')),
    ),
    add: statement(
      db
        .insertInto('decisions')
        .values({
          id_scope: parameter('idScope'),
          id: parameter('id'),
          key: parameter('key'),
          tracking_id: parameter('trackingId'),
          document: parameter('document'),
          share: parameter('share'),
        })
        .onConflict((conflict) => conflict.doNothing()),
    ),
    deleteOlder: statement(
      db
        .deleteFrom('decisions')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('id', '<', parameter<string>('before')),
    ),
    deleteBeyond: statement(
      db
        .deleteFrom('decisions')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('share', '=', parameter<string>('share'))
        .where('id', '<=', (of) =>
          of
            .selectFrom('decisions as kept')
            .select('kept.id')
            .where('kept.id_scope', '=', parameter<string>('idScope'))
            .where('kept.share', '=', parameter<string>('share'))
            .orderBy('kept.id', 'desc')
            .limit(1)
            .offset(parameter<number>('count')),
        ),
    ),
  }

  return {
    reader: (query: Querier): Reader['decisions'] => ({
      find: async (idScope, { registrationId, trackingId, before = pastEveryId, limit }) => {
        const page = { idScope, before, limit }
        const rows =
          trackingId !== undefined
            ? await query.all(compiled.ofTrackingId, { ...page, trackingId })
            : registrationId !== undefined
              ? await query.all(compiled.ofRegistration, { ...page, key: keyOf(registrationId) })
              : await query.all(compiled.all, page)
        return rows.map(toDecision)
      },
      scopeAfter: async (idScope) => {
        const found = (await query.get(compiled.scopeAfter, { idScope }))?.['id_scope']
        return typeof found === 'string' ? (found as IdScope) : undefined
      },
    }),
    writer: (record: Recorder): Writer['decisions'] => ({
      add: (idScope, share, decision) => {
        const { time, registrationId, trackingId } = decision
        record(compiled.add, {
          idScope,
          id: `${idPrefix(time)}-${trackingId}`,
          key: keyOf(registrationId),
          trackingId,
          document: JSON.stringify(decision),
          share,
        })
      },
      keep: (idScope, { since, counts }) => {
        record(compiled.deleteOlder, { idScope, before: idPrefix(since) })
        for (const [share, count] of counts) record(compiled.deleteBeyond, { idScope, share, count })
      },
    }),
  }
}

/** Digits sort before it. */
const pastEveryId = '~'

/** Milliseconds since 1970 in a fixed width, good until the year 5138. */
function idPrefix(time: number): string {
  return String(Math.max(0, Math.floor(time))).padStart(14, '0')
}

/** What strangers send as their ID may be long. */
function keyOf(registrationId: string): string {
  return registrationKey(registrationId.slice(0, longestDecisionText))
}

function toDecision({ id, document }: Row): KeptDecision {
  return { id: String(id), decision: JSON.parse(String(document)) as Decision }
}
