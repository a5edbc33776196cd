import { join } from 'node:path'
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import { Database, UnmetExpectation, type Write } from '../sqlite/database.ts'
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

/** The embedded store: one file, `hubward.db`, in this directory. */
export function openSqliteStore(directory: string): Store {
  const database = Database.open(join(directory, 'hubward.db'), migrations)
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
        throw error
      }
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}
