import { openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { FromWriter, ToWriter, Write } from './transactions.ts'
import { busy, type WriteFailure, causeOf, isEnvironmental, isFull } from './unwritable.ts'
import { note, type Witness, witnessFile } from './witness.ts'

/** Milliseconds that another process may hold the lock; longer, and whoever waits is told so. Whoever comes then waits no more. */
const patience = 5000
const spentPatience = 100

interface Connection {
  readonly database: DatabaseSync
  readonly prepared: Map<string, StatementSync>
  readonly count: StatementSync
}

const path = workerData as string
// Kept open: closing a file of SQLite's would take its locks away, and this one is written with every commit.
const witness = openSync(witnessFile(path), 'r+')
let connection: Connection | undefined
let unwitnessed: WriteFailure | undefined
let isLockedOut = false
reconnect()

parentPort!.on('message', (message: ToWriter | 'close') => {
  if (message !== 'close') {
    const outcomes = commit(message.transactions)
    parentPort!.postMessage({ outcomes, unwitnessed } satisfies FromWriter)
    return
  }
  // Whoever closes last moves the WAL into the file, so there has to be a connection that can.
  reconnect()
  release()
  parentPort!.close()
})

function commit(batch: ToWriter['transactions']): FromWriter['outcomes'] {
  try {
    connection ??= connect()
    const { database, count } = connection
    database.exec('begin immediate')
    const outcomes = batch.map(({ id, statements }) => ({ id, failed: attempt(statements, connection!) }))
    const counted = count.get() as { readonly database: string; readonly count: number }
    database.exec('commit')
    if (isLockedOut) database.exec(`pragma busy_timeout = ${patience}`)
    isLockedOut = false
    testify({ database: counted.database, commits: counted.count })
    return outcomes
  } catch (error) {
    const failed = causeOf(error, path)
    // What failed may have left the connection in any state; the next batch has a new one, with statements prepared anew.
    release()
    isLockedOut = failed.resultCode === busy
    // One large transaction must not take the small ones with it that still have room.
    if (isFull(failed) && batch.length > 1) return batch.flatMap((one) => commit([one]))
    return batch.map(({ id }) => ({ id, failed }))
  }
}

function testify(committed: Witness): void {
  try {
    note(witness, committed)
    unwitnessed = undefined
  } catch (error) {
    unwitnessed = causeOf(error, witnessFile(path))
  }
}

/** Where it cannot be had now, the next batch tries again and says why. */
function reconnect(): void {
  try {
    connection ??= connect()
  } catch {
    connection = undefined
  }
}

function connect(): Connection {
  const database = new DatabaseSync(path)
  // FULL: the commit has reached the disk before anybody is told of it. The checkpointer's thread checkpoints.
  database.exec(
    `pragma synchronous = full; pragma wal_autocheckpoint = 0; pragma foreign_keys = on; pragma busy_timeout = ${isLockedOut ? spentPatience : patience};
     pragma temp_store = memory`,
  )
  const count = database.prepare('update commits set count = count + 1 returning database, count')
  return { database, prepared: new Map(), count }
}

function release(): void {
  try {
    connection?.database.close()
  } catch {
    // It is given up either way; a transaction that was open in it is undone.
  }
  connection = undefined
}

/** One transaction inside the shared one: all of it or nothing. Throws what would fail all of them. */
function attempt(statements: readonly Write[], { database, prepared }: Connection): number | WriteFailure | undefined {
  database.exec('savepoint one')
  let failed: number | WriteFailure | undefined
  try {
    const unmet = statements.findIndex(({ sql, parameters, expect }) => {
      const { changes } = run(sql, parameters, { database, prepared })
      return expect !== undefined && changes !== expect
    })
    if (unmet >= 0) failed = unmet
  } catch (error) {
    failed = causeOf(error, path)
    // SQLite has undone the shared transaction already where it found no room.
    if (isEnvironmental(failed)) throw error
  }
  database.exec(failed === undefined ? 'release one' : 'rollback to one; release one')
  return failed
}

function run(
  sql: string,
  parameters: readonly SQLInputValue[],
  { database, prepared }: Pick<Connection, 'database' | 'prepared'>,
): { changes: number | bigint } {
  let statement = prepared.get(sql)
  if (!statement) prepared.set(sql, (statement = database.prepare(sql)))
  return statement.run(...parameters)
}
