import { join } from 'node:path'
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import { Refusal } from '../model/refusal.ts'
import { Database, type DatabaseOptions, UnmetExpectation } from '../sqlite/database.ts'
import type { Write } from '../sqlite/transactions.ts'
import { Unwritable } from '../sqlite/unwritable.ts'
import { Conflict, type Store } from './store.ts'
import { migrations, type Tables } from './tables/schema.ts'
import { bind, type Querier } from './tables/statement.ts'
import { compileTables } from './tables/tables.ts'

// Kysely only writes the SQL; the embedded database runs it.
const compiled = compileTables(
  new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  }),
)

/** Seconds after which whoever could not write may try again. */
const retryAfter = 5

/** The embedded store: one file, `hubward.db`, in this directory. Throws as `Database.open` does. */
export function openSqliteStore(directory: string, options?: DatabaseOptions): Store {
  const database = Database.open(join(directory, 'hubward.db'), migrations, options)
  const query: Querier = {
    all: async (statement, values) => database.all(statement.sql, bind(statement, values)),
    get: async (statement, values) => database.get(statement.sql, bind(statement, values)),
  }
  return {
    ...compiled.reader(query),
    transact: async (work) => {
      const writes: Write[] = []
      work(
        compiled.writer((statement, values, expect) => {
          writes.push({ sql: statement.sql, parameters: bind(statement, values), expect })
        }),
      )
      try {
        await database.write(writes)
      } catch (error) {
        if (error instanceof UnmetExpectation) throw new Conflict(writes[error.index]!.sql)
        if (error instanceof Unwritable) throw new Refusal('StoreUnavailable', error.message, { retryAfter })
        throw error
      }
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}
