import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mutant } from './mutants.ts'

/** What became of a mutant. */
export interface Result extends Mutant {
  readonly id: string
  readonly line: number
  /** What was there and what was there instead. */
  readonly text: string
  readonly verdict: 'killed' | 'timeout' | 'survived' | 'not covered'
  /** The test that noticed it. */
  readonly by: string
}

/** Writes survivors.md and results.json into the folder, and gives the counts as text. */
export function writeReport(results: readonly Result[], folder: string): string {
  const files = [...new Set(results.map(({ file }) => file))].sort()
  const count = (of: readonly Result[], ...verdicts: Result['verdict'][]) =>
    of.filter(({ verdict }) => verdicts.includes(verdict)).length
  const rows = [...files, undefined].map((file) => {
    const own = results.filter((result) => file === undefined || result.file === file)
    const noticed = count(own, 'killed', 'timeout')
    return `| ${file ?? 'all'} | ${own.length} | ${noticed} | ${count(own, 'survived')} | ${count(own, 'not covered')} |`
  })
  const table = ['| file | mutants | noticed | survived | not covered |', '|---|---|---|---|---|', ...rows].join('\n')
  const survivors = results
    .filter(({ verdict }) => verdict === 'survived' || verdict === 'not covered')
    .toSorted((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.start - b.start))
    .map(({ file, line, kind, text, verdict }) => `- ${file}:${line} ${verdict}, ${kind}: ${text}`)
  writeFileSync(join(folder, 'results.json'), JSON.stringify(results, undefined, 1))
  writeFileSync(join(folder, 'survivors.md'), `${table}\n\n${survivors.join('\n')}\n`)
  return `${table}\n`
}
