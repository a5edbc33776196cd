import type { Kysely } from 'kysely'
import type { AccessToken, TokenIssuer } from '../../model/access.ts'
import type { Reader, Writer } from '../store.ts'
import type { Tables } from './schema.ts'
import { parameter, statement, type Querier, type Recorder, type Row } from './statement.ts'

/** Who may call: the tokens that were given out, and the issuers that are believed. They belong to no instance. */
export function accessTables(db: Kysely<Tables>) {
  const tokens = documents(db, 'access_tokens')
  const issuers = documents(db, 'token_issuers')
  return {
    accessTokens: (query: Querier): Reader['accessTokens'] => ({
      get: async (id) => {
        const row = await query.get(tokens.get, { key: id })
        return row && read<AccessToken>(row)
      },
      all: async () => (await query.all(tokens.all, {})).map(read<AccessToken>),
    }),
    tokenIssuers: (query: Querier): Reader['tokenIssuers'] => ({
      all: async () => (await query.all(issuers.all, {})).map(read<TokenIssuer>),
    }),
    accessTokenWriter: (record: Recorder): Writer['accessTokens'] => ({
      put: (token) => record(tokens.put, { key: token.id, document: JSON.stringify(token) }),
      delete: (id) => record(tokens.delete, { key: id }, 1),
    }),
    tokenIssuerWriter: (record: Recorder): Writer['tokenIssuers'] => ({
      put: (issuer) => record(issuers.put, { key: issuer.name.toLowerCase(), document: JSON.stringify(issuer) }),
      delete: (name) => record(issuers.delete, { key: name.toLowerCase() }, 1),
    }),
  }
}

function documents(db: Kysely<Tables>, table: 'access_tokens' | 'token_issuers') {
  return {
    get: statement(db.selectFrom(table).select('document').where('key', '=', parameter<string>('key'))),
    all: statement(db.selectFrom(table).select('document').orderBy('key')),
    put: statement(
      db
        .insertInto(table)
        .values({ key: parameter('key'), document: parameter('document') })
        .onConflict((conflict) =>
          conflict.column('key').doUpdateSet((update) => ({ document: update.ref('excluded.document') })),
        ),
    ),
    delete: statement(db.deleteFrom(table).where('key', '=', parameter<string>('key'))),
  }
}

function read<T>({ document }: Row): T {
  return JSON.parse(String(document)) as T
}
