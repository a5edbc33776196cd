import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Named } from './named.ts'
import { root } from './tree.ts'

/** What was said about a mutant that no test notices. */
export interface Judgement {
  readonly code: string
  readonly fault: string
  /** Equivalent: the service does the same. Harmless: it does not matter. Open: a test is missing. */
  readonly verdict: 'equivalent' | 'harmless' | 'open'
  readonly why: string
}

/** By file: judged.json, written by hand. A judgement holds for every mutant of its file with that line and that fault. */
export type Judged = Readonly<Record<string, readonly Judgement[]>>

/** The list in the repository. */
export function readJudged(): Judged {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'judged.json'), 'utf8')) as Judged
}

/** What the list says about this mutant. */
export function judgementOf(judged: Judged, mutant: Named): Judgement | undefined {
  return judged[mutant.file]?.find(({ code, fault }) => code === mutant.code && fault === mutant.fault)
}

/** Judgements that are about nothing any more: their file or their line has gone. */
export function outdated(judged: Judged): readonly string[] {
  return Object.entries(judged).flatMap(([file, own]) => {
    const source = existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8') : ''
    const lines = new Set(source.split('\n').map((line) => line.trim()))
    return own.filter(({ code }) => !lines.has(code)).map(({ code, fault }) => `${file}: ${code}: ${fault}`)
  })
}
