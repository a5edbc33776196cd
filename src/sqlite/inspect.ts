import { existsSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { causeOf } from './unwritable.ts'
import { digestOf, readWitness, witnessFile, type Witness } from './witness.ts'

/** Commits that were acknowledged are missing from the database, or it is damaged. The message names the file and what was found. */
export class DatabaseDamaged extends Error {
  override readonly name = 'DatabaseDamaged'
  readonly path: string
  /** It can be opened with what is left. */
  readonly usable: boolean

  constructor(path: string, found: string, usable = true) {
    super(`${path} ${found}`)
    this.path = path
    this.usable = usable
  }
}

/** The pages of a large database are not all looked at: so many milliseconds, about. */
const longestCheck = 10_000

/**
 * Compare the database with what its witness remembers, and check its structure unless it is as it was closed. Nothing is
 * changed, not even by SQLite's recovery. Throws DatabaseDamaged; gives what an operator should know all the same.
 */
export function inspect(path: string): readonly string[] {
  const witness = readWitness(path)
  const known = witness === 'unreadable' ? undefined : witness
  if (isAbsent(path)) {
    demandNothingThere(path, witness)
    return []
  }
  const asClosed = known?.closed && sameDigest(known.closed, digestOf(path))
  const database = openToRead(path)
  try {
    const commits = readCommits(database)
    demandCommits(path, known, commits)
    if (asClosed) return []
    const notices = checked(path, database, known?.closed === undefined)
    if (known?.closed) {
      notices.push(`${path} was changed while the service was stopped; its structure is sound`)
    }
    if (known === undefined && commits && commits.count > 0) {
      const file = witnessFile(path)
      const state = witness === undefined ? 'is missing' : 'is damaged'
      notices.push(`${file} ${state}: whether ${path} lacks writes that were acknowledged cannot be told this time`)
    }
    return notices
  } catch (error) {
    if (error instanceof DatabaseDamaged) throw error
    throw unreadable(path, error)
  } finally {
    database.close()
  }
}

function isAbsent(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0
}

function demandNothingThere(path: string, witness: Witness | 'unreadable' | undefined): void {
  const what = existsSync(path) ? 'is empty' : 'is missing'
  if (witness === 'unreadable' || (witness && witness.commits > 0)) {
    const commits = witness === 'unreadable' ? '' : ` of ${witness.commits} commits`
    throw new DatabaseDamaged(
      path,
      `${what}, though ${witnessFile(path)} tells${commits || ' of an earlier one'}: all it held is lost`,
    )
  }
  if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    throw new DatabaseDamaged(path, `${what}, though its WAL ${path}-wal is there: all it held is lost`)
  }
}

function openToRead(path: string): DatabaseSync {
  try {
    // A journal is there only if the database was being made when it ended: SQLite undoes that, which takes writing.
    return new DatabaseSync(path, { readOnly: !existsSync(`${path}-journal`) })
  } catch (error) {
    throw unreadable(path, error)
  }
}

function unreadable(path: string, error: unknown): DatabaseDamaged {
  const { text, resultCode } = causeOf(error, path)
  const found = resultCode === 11 || resultCode === 26 ? 'is damaged' : 'cannot be read'
  return new DatabaseDamaged(path, `${found}: ${text}`, false)
}

/** How often the database was committed to; undefined if it is from before this was counted. */
function readCommits(database: DatabaseSync): { readonly database: string; readonly count: number } | undefined {
  const counted = database.prepare("select 1 from sqlite_schema where name = 'commits'").get()
  const row = counted && database.prepare('select database, count from commits').get()
  return row && { database: String(row['database']), count: Number(row['count']) }
}

function demandCommits(path: string, known: Witness | undefined, commits: ReturnType<typeof readCommits>): void {
  if (!known) return
  if (commits && commits.database !== known.database) {
    throw new DatabaseDamaged(path, `is another database than the one that ${witnessFile(path)} tells of`)
  }
  const missing = known.commits - (commits?.count ?? 0)
  if (missing <= 0) return
  throw new DatabaseDamaged(
    path,
    `lacks the last ${missing} of ${known.commits} commits: its WAL ${path}-wal was cut, damaged or deleted, or the file is an older copy. What was acknowledged with them is lost`,
  )
}

/** Throws if the structure is damaged. Each table with its indexes by itself, until the time is up. */
function checked(path: string, database: DatabaseSync, boundedTime: boolean): string[] {
  const tables = database
    .prepare("select name from sqlite_schema where type = 'table' order by name")
    .all()
    .map(({ name }) => String(name))
  const began = performance.now()
  for (const [index, table] of tables.entries()) {
    if (boundedTime && performance.now() - began > longestCheck) {
      return [`the check of ${path} was ended after ${longestCheck / 1000} s, before ${tables.slice(index).join(', ')}`]
    }
    const kind = boundedTime ? 'quick_check' : 'integrity_check'
    const found = database
      .prepare(`pragma ${kind}('${table.replaceAll("'", "''")}')`)
      .all()
      .flatMap(Object.values)
      .map(String)
    if (found[0] !== 'ok')
      throw new DatabaseDamaged(path, `is damaged in its table ${table}: ${found.slice(0, 3).join('; ')}`)
  }
  return []
}

function sameDigest(one: Witness['closed'], other: Witness['closed']): boolean {
  return one !== undefined && one.bytes === other?.bytes && one.sha256 === other.sha256
}
