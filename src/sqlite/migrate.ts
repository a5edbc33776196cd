import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

/** SQL that takes the schema from one version to the next. Never edited once released. */
export type Migration = string

/** What a database says of itself: who it is, and how many shared commits it had. */
export interface Committed {
  readonly database: string
  readonly commits: number
}

/** Beside every schema: the count grows with each shared commit, so that commits which disappear are missed. */
const counted = `
  create table if not exists commits (database text not null, count integer not null);
  insert into commits select lower(hex(randomblob(16))), 0 where not exists (select 1 from commits)`

/**
 * Bring the file's schema up to date, each step in a transaction of its own; it is made, for its owner only, if it is not
 * there. Throws if a newer program wrote the file.
 */
export function migrate(path: string, migrations: readonly Migration[]): Committed {
  // SQLite gives its WAL and shared memory the mode of the database.
  closeSync(openSync(path, 'a', 0o600))
  const database = new DatabaseSync(path)
  try {
    // Measured for rows of about 1 KiB: pages of 8 KiB. [performance.md, Store]
    database.exec(
      'pragma page_size = 8192; pragma journal_mode = wal; pragma synchronous = full; pragma temp_store = memory',
    )
    const { user_version: version } = database.prepare('pragma user_version').get() as { user_version: number }
    if (version > migrations.length) {
      throw new Error(`${path} has schema version ${version}; this program knows up to ${migrations.length}`)
    }
    for (const [index, migration] of migrations.entries()) {
      if (index < version) continue
      database.exec(`begin immediate; ${migration}; pragma user_version = ${index + 1}; commit`)
    }
    const known = database.prepare("select 1 from sqlite_schema where name = 'commits'").get()
    if (!known) database.exec(`begin immediate; ${counted}; commit`)
    const row = database.prepare('select database, count from commits').get()
    return { database: String(row?.['database']), commits: Number(row?.['count']) }
  } finally {
    database.close()
  }
}
