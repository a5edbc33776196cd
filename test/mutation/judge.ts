import { readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { runTest, type Covered } from './covering.ts'
import type { Named } from './named.ts'

/** What became of a mutant. */
export interface Result extends Named {
  readonly verdict: 'killed' | 'timeout' | 'survived' | 'not covered'
  /** The test that noticed it. */
  readonly by: string
}

/** Judges mutants of a copy of the tree, one after another. */
export type Judge = (mutant: Named) => Promise<Result>

/**
 * Runs the tests that cover the mutant's place until one fails: those that noticed other faults of its file first, then the
 * nearest, then the shortest, and no more of them than `patience` milliseconds have room for, but always one.
 */
export function createJudge(copy: string, covered: ReadonlyMap<string, Covered>, patience: number): Judge {
  const noticed = new Map<string, number>()
  const times = (test: string, file: string): number => noticed.get(`${test} ${file}`) ?? 0
  return async (mutant) => {
    const { file, start, end, replacement } = mutant
    const tests = [...covered]
      // What stands right of an operator that was never reached begins with that operator.
      .filter(([, { files }]) => files[file]?.some(([from, to]) => from < Math.max(end, start + 1) && to >= start - 1))
      .map(([test, { milliseconds }]) => ({ test, milliseconds }))
      .sort(
        (a, b) =>
          times(b.test, file) - times(a.test, file) ||
          distance(a.test, file) - distance(b.test, file) ||
          a.milliseconds - b.milliseconds,
      )
    if (tests.length === 0) return { ...mutant, verdict: 'not covered', by: '' }
    const place = join(copy, file)
    const source = readFileSync(place, 'utf8')
    writeFileSync(place, source.slice(0, start) + replacement + source.slice(end))
    try {
      let left = patience
      for (const { test, milliseconds } of tests) {
        if (left < patience && milliseconds > left) continue
        left -= milliseconds
        const verdict = await runTest(copy, test, 10_000 + 4 * milliseconds)
        if (verdict === 'passed') continue
        noticed.set(`${test} ${file}`, times(test, file) + 1)
        return { ...mutant, verdict: verdict === 'timeout' ? 'timeout' : 'killed', by: test }
      }
      return { ...mutant, verdict: 'survived', by: '' }
    } finally {
      writeFileSync(place, source)
    }
  }
}

/** A file's own test, then those of its folder, then those whose name shares a word with its, then the others. */
function distance(test: string, file: string): number {
  if (test === file.replace(/\.ts$/, '.test.ts')) return 0
  if (dirname(test) === dirname(file)) return 1
  const words = new Set(file.split(/[/.-]/))
  const shared = basename(test, '.test.ts')
    .split('-')
    .some((word) => words.has(word))
  return shared ? 2 : 3
}
