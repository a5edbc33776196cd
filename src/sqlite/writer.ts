import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { Write } from './database.ts'

export interface ToWriter {
  readonly transactions: readonly { readonly id: number; readonly statements: readonly Write[] }[]
}

export interface FromWriter {
  /** `failed` is the index of the statement that did not meet its expectation, or the text of a fault. */
  readonly outcomes: readonly { readonly id: number; readonly failed?: number | string }[]
}

const database = new DatabaseSync(workerData as string)
// FULL: the commit has reached the disk before anybody is told of it. The checkpointer's thread checkpoints.
database.exec(
  'pragma synchronous = full; pragma wal_autocheckpoint = 0; pragma foreign_keys = on; pragma busy_timeout = 60000',
)
const prepared = new Map<string, StatementSync>()

parentPort!.on('message', (message: ToWriter | 'close') => {
  if (message !== 'close') {
    parentPort!.postMessage({ outcomes: commit(message.transactions) } satisfies FromWriter)
    return
  }
  database.close()
  parentPort!.close()
})

function commit(batch: ToWriter['transactions']): FromWriter['outcomes'] {
  try {
    database.exec('begin immediate')
    const outcomes = batch.map(({ id, statements }) => ({ id, failed: attempt(statements) }))
    database.exec('commit')
    return outcomes
  } catch (error) {
    if (database.isTransaction) database.exec('rollback')
    return batch.map(({ id }) => ({ id, failed: String(error) }))
  }
}

/** One transaction inside the shared one: all of it or nothing. */
function attempt(statements: readonly Write[]): number | string | undefined {
  database.exec('savepoint one')
  let failed: number | string | undefined
  try {
    const unmet = statements.findIndex(({ sql, parameters, expect }) => {
      const { changes } = run(sql, parameters)
      return expect !== undefined && changes !== expect
    })
    if (unmet >= 0) failed = unmet
  } catch (error) {
    failed = String(error)
  }
  database.exec(failed === undefined ? 'release one' : 'rollback to one; release one')
  return failed
}

function run(sql: string, parameters: readonly SQLInputValue[]): { changes: number | bigint } {
  let statement = prepared.get(sql)
  if (!statement) prepared.set(sql, (statement = database.prepare(sql)))
  return statement.run(...parameters)
}
