import { fdatasyncSync, fstatSync, openSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { type WriteFailure, causeOf } from './unwritable.ts'
import { witnessFile } from './witness.ts'

/** Sent after each attempt that had something to do. */
export interface FromCheckpointer {
  readonly failed?: WriteFailure
}

// Moving the WAL into the database on another thread keeps that work out of the commits. Measured: 23.6 k rows/s and 4.8 ms
// at p99.9, against 9 k and 31 ms when the writer checkpoints for itself. [performance.md, Store]
const every = 500
const worthwhile = 1 << 20
const tooLong = 128 << 20
/** Milliseconds between attempts while they fail, at most. */
const longestPause = 15_000
/** After so many rounds the witness is brought to the disk: a power failure hides lost commits for no longer than that. */
const witnessedEvery = 4

const path = workerData as string
const witness = openSync(witnessFile(path), 'r')
let database: DatabaseSync | undefined
let failures = 0
let rounds = 0
let witnessedAt = 0
let timer = setTimeout(round, every)

parentPort!.on('message', () => {
  clearTimeout(timer)
  release()
  parentPort!.close()
})

function round(): void {
  try {
    if (checkpoint() || failures > 0) parentPort!.postMessage({} satisfies FromCheckpointer)
    failures = 0
  } catch (error) {
    failures++
    parentPort!.postMessage({ failed: causeOf(error, path) } satisfies FromCheckpointer)
    release()
  }
  timer = setTimeout(round, Math.min(every * 2 ** failures, longestPause))
}

/** True if there was something to do. */
function checkpoint(): boolean {
  if (++rounds % witnessedEvery === 0) syncWitness()
  const length = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0
  if (length <= worthwhile && failures === 0) return false
  if (!database) {
    database = new DatabaseSync(path)
    database.exec('pragma busy_timeout = 1000; pragma temp_store = memory')
  }
  database.exec(`pragma wal_checkpoint(${length > tooLong ? 'truncate' : 'passive'})`)
  return true
}

function syncWitness(): void {
  const { mtimeMs } = fstatSync(witness)
  if (mtimeMs === witnessedAt) return
  fdatasyncSync(witness)
  witnessedAt = mtimeMs
}

function release(): void {
  try {
    database?.close()
  } catch {
    // The next round has a new one.
  }
  database = undefined
}
