import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'

/** What SQLite, and the file system below it, said of a write that failed. */
export interface WriteFailure {
  readonly text: string
  /** SQLite's primary result code; absent where it was not SQLite that failed. */
  readonly resultCode?: number
  /** Such as ENOSPC, where it is known. */
  readonly errno?: string | undefined
}

/**
 * The database cannot be written now: the disk is full or failing, read-only, or another process has the lock. The caller was
 * promised nothing; the same write may succeed later. Its message names the file.
 */
export class Unwritable extends Error {
  override readonly name = 'Unwritable'
  readonly path: string
  readonly errno: string | undefined

  constructor(path: string, { text, errno }: WriteFailure) {
    super(`${path} cannot be written: ${text}${errno === undefined ? '' : ` (${errno})`}`)
    this.path = path
    this.errno = errno
  }
}

/** SQLite's result code where another connection has the lock. */
export const busy = 5
const full = 13
/** locked, no memory, read-only, I/O error, malformed, cannot open, locking protocol, no large files, not a database */
const environmental = [busy, 6, 7, 8, 10, 11, full, 14, 15, 22, 26]

/** True if it is the surroundings that failed, not the statement. */
export function isEnvironmental({ resultCode, errno }: WriteFailure): boolean {
  return errno !== undefined || (resultCode !== undefined && environmental.includes(resultCode))
}

/** True if a smaller write might still find room. */
export function isFull({ resultCode }: WriteFailure): boolean {
  return resultCode === full
}

/** What was thrown by SQLite or a file operation upon this database. SQLite does not tell the errno, so a write beside it is tried. */
export function causeOf(thrown: unknown, path: string): WriteFailure {
  if (!(thrown instanceof Error)) return { text: String(thrown) }
  const { errcode, errstr, code } = thrown as Error & { errcode?: number; errstr?: string; code?: string }
  if (errcode === undefined)
    return {
      text: thrown.message,
      errno: code !== undefined && /^E[A-Z0-9]+$/.test(code) && !code.startsWith('ERR') ? code : undefined,
    }
  // The primary code is in the lowest byte. [https://sqlite.org/rescode.html]
  const resultCode = errcode & 0xff
  const text = thrown.message === errstr ? thrown.message : `${thrown.message} (${errstr})`
  const environment = environmental.includes(resultCode) && resultCode !== busy
  return { text, resultCode, errno: environment ? errnoBeside(path) : undefined }
}

function errnoBeside(path: string): string | undefined {
  const file = `${path}-probe`
  try {
    const descriptor = openSync(file, 'w', 0o600)
    try {
      writeSync(descriptor, Buffer.alloc(probeBytes))
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code
  } finally {
    remove(file)
  }
}

/** As much as the smallest transaction writes. */
const probeBytes = 16_384

function remove(file: string): void {
  try {
    rmSync(file, { force: true })
  } catch {
    // A folder that nothing can be written to has no probe in it.
  }
}
