import { globSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { run } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'
import { ensureNodeSdk, ensurePythonSdk } from '../sdk/install.ts'

/** Where each suite's files are: `npm test` runs them all, `npm test -- unit wire` the named ones. */
const suites: Readonly<Record<string, readonly string[]>> = {
  unit: ['src/**/*.test.ts', 'sdk/*.test.ts', 'test/*.test.ts', 'test/{contract,fixtures,mutation}/**/*.test.ts'],
  wire: ['test/wire/**/*.test.ts'],
  tpm: ['test/tpm/**/*.test.ts'],
  hardware: ['test/hardware/**/*.test.ts'],
  hub: ['test/{hub,hub-driver}/**/*.test.ts'],
  service: ['test/service/**/*.test.ts'],
  management: ['test/management/**/*.test.ts'],
  decisions: ['test/decisions/**/*.test.ts'],
  fuzz: ['test/fuzz/**/*.test.ts'],
  journeys: ['test/{journeys,own-kinds}/**/*.test.ts'],
}

interface Counts {
  readonly tests: number
  readonly passed: number
  /** Failed or cancelled. */
  readonly failed: number
  /** Skipped or to do: a test that was not run proves nothing, so the run is not clean. */
  readonly unproven: number
  readonly seconds: number
}

const root = join(import.meta.dirname, '..')
const named = process.argv.slice(2)
const chosen = named.length > 0 ? named : Object.keys(suites)
const files = new Map(chosen.map((suite) => [suite, filesOf(suite)]))
demandEveryTestHasASuite()

if (chosen.some((suite) => suite !== 'unit')) await Promise.all([ensureNodeSdk(), ensurePythonSdk()])

const countsOf = new Map<string, Counts>()
const closing: string[] = []
// Two at a time: most of a black-box test is waiting for another process.
const events = run({ files: [...files.values()].flat(), concurrency: 2, cwd: root, timeout: 300_000 })
for await (const text of Readable.from(withoutClosingLines(events)).pipe(new spec())) process.stdout.write(String(text))

const all = countsOf.get('')
printTable()
process.stdout.write(closing.map((line) => `ℹ ${line}\n`).join(''))
process.stdout.write(`${all?.passed ?? 0} passed, ${all?.failed ?? 0} failed\n`)
const clean = all !== undefined && all.tests > 0 && all.passed === all.tests
process.exitCode = clean ? 0 : 1

function filesOf(suite: string): string[] {
  const patterns = suites[suite]
  if (patterns === undefined)
    throw new Error(`There is no suite ${suite}: choose from ${Object.keys(suites).join(', ')}.`)
  const found = patterns.flatMap((pattern) => globSync(pattern, { cwd: root })).sort()
  if (found.length === 0) throw new Error(`The suite ${suite} has no test files.`)
  return found.map((file) => join(root, file))
}

function demandEveryTestHasASuite(): void {
  const claimed = new Set(Object.keys(suites).flatMap((suite) => filesOf(suite)))
  const written = globSync(['{bench,demo,src,test}/**/*.test.ts', 'sdk/*.test.ts'], { cwd: root })
  const orphans = written.filter((file) => !claimed.has(join(root, file)))
  if (orphans.length > 0) throw new Error(`No suite in test/run.ts has ${orphans.join(', ')}.`)
}

/** Keeps the runner's own closing lines back, so that they can stand below the table, and keeps its counts. */
async function* withoutClosingLines(source: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  for await (const event of source) {
    if (event.type === 'test:summary') {
      const { counts, duration_ms, file } = event.data
      const { tests, passed, skipped, todo } = counts
      const unproven = skipped + todo
      countsOf.set(file ?? '', {
        tests,
        passed,
        failed: tests - passed - unproven,
        unproven,
        seconds: duration_ms / 1000,
      })
    }
    if (event.type === 'test:diagnostic' && event.data.nesting === 0 && event.data.file === undefined) {
      closing.push(event.data.message)
    } else {
      yield event
    }
  }
}

function printTable(): void {
  const rows = [...files].map(([suite, members]) => {
    const counts = members.map((file) => countsOf.get(file)).filter((found) => found !== undefined)
    const sum = (member: keyof Counts): number => counts.reduce((total, found) => total + found[member], 0)
    const figures = [sum('tests'), sum('passed'), sum('failed'), sum('unproven'), sum('seconds').toFixed(1)]
    return [suite, members.length, ...figures]
  })
  const table = [['suite', 'files', 'tests', 'passed', 'failed', 'skipped', 'seconds'], ...rows]
  const line = (cells: readonly (string | number)[]): string =>
    cells.map((cell, column) => (column === 0 ? String(cell).padEnd(10) : String(cell).padStart(9))).join('')
  process.stdout.write('\n' + table.map((cells) => line(cells) + '\n').join('') + '\n')
}
