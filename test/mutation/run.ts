import { createHash } from 'node:crypto'
import {
  appendFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { coveredBy, runTest, type Covered } from './covering.ts'
import { mutantsOf, type Mutant } from './mutants.ts'
import { writeReport, type Result } from './report.ts'

const usage = `npm run mutation -- [--files GLOB]… [--tests GLOB]… [--minutes N] [--shard 1/2] [--again]

Puts one small fault after another into a copy of the tree and runs the tests that cover its place: a mutant that no test
fails for has survived. What was tried is in mutation-report/results.jsonl and is not tried again; survivors are in
mutation-report/survivors.md.

  --files    sources to mutate; attestation, wire, transport, revocation and what writes files, unless given
  --tests    test files to judge by; unit and contract tests, unless given
  --minutes  stop after so long; the next run goes on
  --shard    every second mutant, for two runs side by side
  --again    try again what survived before, as after a new test
`
const { values: given } = parseArgs({
  options: {
    files: { type: 'string', multiple: true },
    tests: { type: 'string', multiple: true },
    minutes: { type: 'string', default: '600' },
    shard: { type: 'string', default: '1/1' },
    again: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
/** In the order of what a fault would cost. */
const usualFiles = [
  'src/attestation/*.ts',
  'src/wire/x509/*.ts',
  'src/wire/sas-token.ts',
  'src/wire/revocation-list.ts',
  'src/enrollment/revo*.ts',
  'src/wire/mqtt/reader.ts',
  'src/wire/amqp/decoding.ts',
  'src/sqlite/*.ts',
  'src/main/{log,audit-file,data-folder,certificates,files,key-pair,keep-private}.ts',
  'src/wire/**/*.ts',
  'src/transport/**/*.ts',
]
const usualTests = ['src/**/*.test.ts', 'test/contract/*.test.ts', 'test/vectors/*.test.ts']
const root = join(import.meta.dirname, '..', '..')
const folder = join(root, 'mutation-report')

if (given.help) process.stdout.write(usage)
else await mutate()

async function mutate(): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const copy = copyOfTheTree()
  try {
    const covered = await coverage(copy)
    const done = new Map(results().map((result) => [result.id, result]))
    const until = Date.now() + Number(given.minutes) * 60_000
    for (const mutant of chosen(copy)) {
      if (Date.now() > until) break
      const source = readFileSync(join(copy, mutant.file), 'utf8')
      const id = idOf(mutant, source)
      const before = done.get(id)
      if (before && !(given.again && before.verdict === 'survived')) continue
      const result = { id, ...mutant, ...placeOf(mutant, source), ...(await judge(copy, mutant, source, covered)) }
      appendFileSync(join(folder, 'results.jsonl'), JSON.stringify(result) + '\n')
      if (result.verdict === 'survived')
        process.stdout.write(`${mutant.file}:${result.line} ${mutant.kind}: ${result.text}\n`)
    }
  } finally {
    rmSync(copy, { recursive: true })
  }
  process.stdout.write(writeReport(results(), folder))
}

/** Never the tree itself: whoever works in it would find the faults there. */
function copyOfTheTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'hubward-mutation-'))
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n')
  for (const file of files) {
    if (!existsSync(join(root, file))) continue
    mkdirSync(join(copy, dirname(file)), { recursive: true })
    cpSync(join(root, file), join(copy, file))
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

/** What each test covers, found once for each version of it and of the sources. */
async function coverage(copy: string): Promise<ReadonlyMap<string, Covered>> {
  const sources = createHash('sha256')
  const isSource = (file: string) => !file.endsWith('.test.ts')
  for (const file of globSync('src/**/*.ts', { cwd: copy }).filter(isSource).sort())
    sources.update(readFileSync(join(copy, file)))
  const version = sources.digest('hex')
  const file = join(folder, 'coverage.json')
  const known = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, Covered>) : {}
  const covered = new Map<string, Covered>()
  for (const test of globSync(given.tests ?? usualTests, { cwd: copy }).sort()) {
    const own = createHash('sha256')
      .update(version)
      .update(readFileSync(join(copy, test)))
      .digest('hex')
      .slice(0, 16)
    const key = `${test} ${own}`
    const found = known[key] ?? (await coveredBy(copy, test))
    if (!found) {
      process.stdout.write(`${test} does not pass as it is, and judges nothing\n`)
      continue
    }
    known[key] = found
    writeFileSync(file, JSON.stringify(known))
    covered.set(test, found)
  }
  return covered
}

function chosen(copy: string): readonly Mutant[] {
  const [part = 1, of = 1] = given.shard.split('/').map(Number)
  const files = new Set((given.files ?? usualFiles).flatMap((glob) => globSync(glob, { cwd: copy }).sort()))
  return [...files]
    .filter((file) => !/\.test\.ts$|stub-service|-page\.ts$/.test(file))
    .flatMap((file) => mutantsOf(file, readFileSync(join(copy, file), 'utf8')))
    .filter((_, index) => index % of === part - 1)
}

/** Run the tests that cover the place until one fails, the nearest and the shortest first. */
async function judge(
  copy: string,
  { file, start, end, replacement }: Mutant,
  source: string,
  covered: ReadonlyMap<string, Covered>,
): Promise<Pick<Result, 'verdict' | 'by'>> {
  const tests = [...covered]
    .filter(([, { files }]) => files[file]?.some(([from, to]) => from < Math.max(end, start + 1) && to > start))
    .sort(([a, one], [b, other]) => distance(a, file) - distance(b, file) || one.milliseconds - other.milliseconds)
  if (tests.length === 0) return { verdict: 'not covered', by: '' }
  writeFileSync(join(copy, file), source.slice(0, start) + replacement + source.slice(end))
  try {
    for (const [test, { milliseconds }] of tests) {
      const verdict = await runTest(copy, test, 20_000 + 5 * milliseconds)
      if (verdict !== 'passed') return { verdict: verdict === 'timeout' ? 'timeout' : 'killed', by: test }
    }
    return { verdict: 'survived', by: '' }
  } finally {
    writeFileSync(join(copy, file), source)
  }
}

/** A file's own test, then those of its folder, then the others. */
function distance(test: string, file: string): number {
  if (test === file.replace(/\.ts$/, '.test.ts')) return 0
  return dirname(test) === dirname(file) ? 1 : 2
}

function results(): readonly Result[] {
  const file = join(folder, 'results.jsonl')
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  // The last word counts, and only for sources that are still what they were.
  const last = new Map(lines.map((line) => JSON.parse(line) as Result).map((result) => [result.id, result]))
  const current = new Map<string, string>()
  return [...last.values()].filter((result) => {
    if (!existsSync(join(root, result.file))) return false
    if (!current.has(result.file)) current.set(result.file, readFileSync(join(root, result.file), 'utf8'))
    return idOf(result, current.get(result.file)!) === result.id
  })
}

/** Names a mutant as long as its line and what is around it stay the same. */
function idOf({ file, start, end, replacement }: Mutant, source: string): string {
  const around = source.slice(Math.max(0, start - 60), end + 60)
  return createHash('sha256')
    .update([basename(file), file, start, around, replacement].join('\0'))
    .digest('hex')
    .slice(0, 16)
}

function placeOf({ start, end, replacement }: Mutant, source: string): Pick<Result, 'line' | 'text'> {
  const line = source.slice(0, start).split('\n').length
  const shown = (text: string) => text.replaceAll(/\s+/g, ' ').slice(0, 90)
  return { line, text: `\`${shown(source.slice(start, end))}\` -> \`${shown(replacement)}\`` }
}
