import { createHash } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'

/**
 * What a file beside the database remembers of it, so that commits which disappear are missed: SQLite takes a WAL that was cut,
 * damaged or deleted for one that ends earlier. Written after a commit is durable and before anybody hears of it, so it never
 * claims more than there was; what it claims is synced by and by, so after a power failure it may claim less.
 */
export interface Witness {
  /** The identity of the database. */
  readonly database: string
  /** How many shared commits it had. */
  readonly commits: number
  /** What the file was when it was closed in good order; absent while it is open. */
  readonly closed?: FileDigest | undefined
}

export interface FileDigest {
  readonly bytes: number
  /** SHA-256, hex. */
  readonly sha256: string
}

/** One sector, so that it is written as a whole. */
const length = 512
/** Larger files are not read at every start and stop. */
const mostDigested = 256 << 20

/** Where the witness of a database is. */
export function witnessFile(path: string): string {
  return `${path}-commits`
}

/** The witness of this database: undefined if there is none, `unreadable` if the file holds something else. */
export function readWitness(path: string): Witness | 'unreadable' | undefined {
  if (!existsSync(witnessFile(path))) return undefined
  const [text = '', check] = readFileSync(witnessFile(path), 'utf8').trimEnd().split('\n')
  if (check !== checkOf(text)) return 'unreadable'
  return JSON.parse(text) as Witness
}

/** Write the witness down, durably; the file appears whole. Throws if it cannot be written. */
export function writeWitness(path: string, witness: Witness): void {
  const file = witnessFile(path)
  const isNew = !existsSync(file)
  const written = isNew ? `${file}.partial` : file
  const descriptor = openSync(written, isNew ? 'w' : 'r+', 0o600)
  try {
    note(descriptor, witness)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  if (!isNew) return
  renameSync(written, file)
  const folder = openSync(dirname(file), 'r')
  fsyncSync(folder)
  closeSync(folder)
}

/** Write the witness into its open file, without waiting for the disk. */
export function note(descriptor: number, witness: Witness): void {
  const text = JSON.stringify(witness)
  writeSync(descriptor, `${text}\n${checkOf(text)}`.padEnd(length - 1) + '\n', 0)
}

/** Of the file as it is, while nobody has it open; undefined if it is too large to be read each time. */
export function digestOf(path: string): FileDigest | undefined {
  const { size } = statSync(path)
  if (size > mostDigested) return undefined
  return { bytes: size, sha256: createHash('sha256').update(readFileSync(path)).digest('hex') }
}

function checkOf(text: string): string {
  return crc32(text).toString(16)
}
