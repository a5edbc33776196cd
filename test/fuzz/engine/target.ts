import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Random } from './random.ts'

/** A parser under test: how to make inputs for it, and what it has promised about any of them. */
export interface Target {
  readonly name: string
  /** Words that mutation puts in. */
  readonly dictionary: readonly (string | Buffer)[]
  /** Well-formed as a rule, so that what is behind the first check is reached too. */
  readonly generate: (random: Random) => Buffer
  /** Throws, or rejects, if a promise was broken. */
  readonly check: (input: Buffer) => void | Promise<void>
}

/** Imports a module of the tree under test by its path under `src`. */
export type Load = <T>(path: string) => Promise<T>

/** Targets need modules of the tree under test, which may be an older one than this. */
export type MakeTargets = (load: Load) => Promise<readonly Target[]>

/** Where modules stood in older trees. */
const before: Readonly<Record<string, string>> = {
  'base/json.ts': 'model/json.ts',
  'base/secret.ts': 'model/secret.ts',
  'base/networks.ts': 'wire/networks.ts',
}

/** Load from the tree at this folder. */
export function loadFrom(root: string): Load {
  const place = (path: string): string => join(root, 'src', path)
  return (path) => import(pathToFileURL(place(existsSync(place(path)) ? path : (before[path] ?? path))).href)
}

/** The parser's documented errors are answers too: gives what it returned, or undefined if it threw one of them. */
export function orRefused<T>(
  errors: readonly (abstract new (...given: never[]) => Error)[],
  parse: () => T,
): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (errors.some((expected) => error instanceof expected)) return undefined
    throw error
  }
}
