import { judgementOf, type Judged } from './judged.ts'
import type { Result } from './judge.ts'

/** The results of one room. */
export interface RoomResults {
  readonly name: string
  /** How many mutants the room has, tried or not. */
  readonly mutants: number
  readonly results: readonly Result[]
}

/** One line for each room and one for all: what was tried, what became of it, and the share that tests noticed. */
export function table(rooms: readonly RoomResults[], judged: Judged): string {
  const all = {
    name: 'all',
    mutants: rooms.reduce((sum, { mutants }) => sum + mutants, 0),
    results: rooms.flatMap(({ results }) => results),
  }
  const rows = [...rooms, all].map(({ name, mutants, results }) => {
    const count = (...verdicts: Result['verdict'][]): number =>
      results.filter(({ verdict }) => verdicts.includes(verdict)).length
    const equivalent = survivors(results).filter((one) => judgementOf(judged, one)?.verdict === 'equivalent').length
    const noticed = count('killed', 'timeout')
    const score = ((100 * noticed) / Math.max(1, results.length - equivalent)).toFixed(1)
    const figures = [
      mutants,
      results.length,
      count('killed'),
      count('timeout'),
      count('survived'),
      count('not covered'),
    ]
    return `| ${[name, ...figures, equivalent, `${score} %`].join(' | ')} |`
  })
  const head = 'mutants | tried | killed | timed out | survived | not covered | of these equivalent | noticed'
  return [`| room | ${head} |`, '|---|--:|--:|--:|--:|--:|--:|--:|--:|', ...rows, ''].join('\n')
}

/** Every survivor by room and file with what was judged about it; first of all those that nobody has judged yet. */
export function survivorList(rooms: readonly RoomResults[], judged: Judged): string {
  const line = (result: Result): string => {
    const { verdict, why } = judgementOf(judged, result) ?? { verdict: 'not judged', why: '' }
    return `- \`${result.code.replaceAll('`', "'")}\` (${result.kind}: ${result.fault}): **${verdict}**${why && `, ${why}`}`
  }
  return rooms
    .map(({ name, results }) => {
      const byFile = Object.groupBy(survivors(results), ({ file }) => file)
      const files = Object.entries(byFile).map(([file, own]) => `${file}\n\n${own!.map(line).join('\n')}\n`)
      return [`### ${name}\n`, ...(files.length > 0 ? files : ['None.\n'])].join('\n')
    })
    .join('\n')
}

/** What no test noticed, in the order of the places. */
export function survivors(results: readonly Result[]): readonly Result[] {
  return results
    .filter(({ verdict }) => verdict === 'survived' || verdict === 'not covered')
    .toSorted((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.start - b.start))
}
