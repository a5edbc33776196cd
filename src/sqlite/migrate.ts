import { DatabaseSync } from 'node:sqlite'

/** SQL that takes the schema from one version to the next. Never edited once released. */
export type Migration = string

/** Bring the file's schema up to date, each step in a transaction of its own. Throws if a newer program wrote the file. */
export function migrate(path: string, migrations: readonly Migration[]): void {
  const database = new DatabaseSync(path)
  try {
    // Measured for rows of about 1 KiB: pages of 8 KiB. [performance.md, Store]
    database.exec('pragma page_size = 8192; pragma journal_mode = wal; pragma synchronous = full')
    const { user_version: version } = database.prepare('pragma user_version').get() as { user_version: number }
    if (version > migrations.length) {
      throw new Error(`${path} has schema version ${version}; this program knows up to ${migrations.length}`)
    }
    for (const [index, migration] of migrations.entries()) {
      if (index < version) continue
      database.exec(`begin immediate; ${migration}; pragma user_version = ${index + 1}; commit`)
    }
  } finally {
    database.close()
  }
}
