import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ConfigurationError } from './configuration.ts'

/** The text of a file that an operator named or that belongs to the data folder. Throws ConfigurationError, with its name, if there is none. */
export function readText(path: string, what: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigurationError(`${path}, ${what}, cannot be read: ${reasonOf(error)}`)
  }
  if (text.trim() === '') throw new ConfigurationError(`${path}, ${what}, is empty`)
  return text
}

/** Write files of one folder that belong together: each appears whole, in this order, and all are durable when this returns. */
export function writeDurably(
  files: readonly { readonly path: string; readonly text: string; readonly mode: number }[],
): void {
  for (const { path, text, mode } of files) {
    // What an interrupted start left keeps its mode when it is written again.
    rmSync(partial(path), { force: true })
    writeFileSync(partial(path), text, { mode, flush: true })
  }
  for (const { path } of files) renameSync(partial(path), path)
  const folders = new Set(files.map(({ path }) => dirname(path)))
  folders.forEach(syncFolder)
}

/** Where a file is written before it takes its name. */
export function partial(path: string): string {
  return `${path}.partial`
}

/** Make a folder for its owner only, with those above it, so that a power failure does not undo it. */
export function makeFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = folder; made.length >= first.length; made = dirname(made)) syncFolder(join(made, '..'))
}

/** Make what was renamed, made or deleted in the folder durable. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Of an error, what a person needs to know. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
