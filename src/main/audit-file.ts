import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { settledClock } from '../base/clock-jump.ts'
import type { Clocks } from '../base/time.ts'
import { printableJson } from '../base/printable.ts'

/** How much of the audit log is kept. */
export interface AuditRetention {
  /** Bytes after which a new file is begun. */
  readonly bytes: number
  /** Older files beside the present one. */
  readonly files: number
  /** Milliseconds since the last line of an older file. */
  readonly age: number
}

/** The audit log: one JSON line for each change, in `audit.log` of the folder, and before it `audit.log.1`, the older the higher. */
export interface AuditFile {
  /** The line is in the file when this returns; none of it is if this throws, because the file cannot be written. */
  readonly write: (line: object) => void
}

const name = 'audit.log'
const anHour = 60 * 60 * 1000

/** Go on with the audit log of this folder. */
export function openAuditFile(folder: string, retention: AuditRetention, { clock, monotonic }: Clocks): AuditFile {
  const path = join(folder, name)
  let length = existsSync(path) ? statSync(path).size : 0
  const settled = settledClock(clock, monotonic, anHour)
  expire(folder, retention, settled())
  return {
    write: (line) => {
      const text = `${printableJson(JSON.stringify(line))}\n`
      if (length > 0 && length + Buffer.byteLength(text) > retention.bytes) {
        rotate(path, retention)
        expire(folder, retention, settled())
        length = 0
      }
      length = append(path, text)
    },
  }
}

/** Gives the length of the file with the text, which is in it whole or not at all. */
function append(path: string, text: string): number {
  // Who may do what is nobody's business but the operator's.
  const file = openSync(path, 'a', 0o600)
  try {
    const before = fstatSync(file).size
    const bytes = Buffer.from(text)
    let at = 0
    try {
      while (at < bytes.length) at += writeSync(file, bytes, at)
    } catch (error) {
      // A full disk takes a part of a line: the next one must not stand behind it.
      if (at > 0) ftruncateSync(file, before)
      throw error
    }
    return before + bytes.length
  } finally {
    closeSync(file)
  }
}

function rotate(path: string, { files }: AuditRetention): void {
  rmSync(`${path}.${files}`, { force: true })
  for (let index = files - 1; index > 0; index--) {
    if (existsSync(`${path}.${index}`)) renameSync(`${path}.${index}`, `${path}.${index + 1}`)
  }
  if (files > 0) renameSync(path, `${path}.1`)
  else rmSync(path)
}

function expire(folder: string, { age, files }: AuditRetention, now: number | undefined): void {
  for (const entry of readdirSync(folder)) {
    const index = Number(/^audit\.log\.(\d+)$/.exec(entry)?.[1] ?? 0)
    if (index === 0) continue
    const file = join(folder, entry)
    if (index > files || (now !== undefined && now - statSync(file).mtimeMs > age)) rmSync(file, { force: true })
  }
}
