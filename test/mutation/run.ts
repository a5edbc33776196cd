import { appendFileSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { coverageOf } from './coverage.ts'
import { createJudge, type Result } from './judge.ts'
import { judgementOf, outdated, readJudged } from './judged.ts'
import { drawn, namedMutantsOf, type Named } from './named.ts'
import { page } from './page.ts'
import { plant } from './planted.ts'
import { survivorList, survivors, table, type RoomResults } from './report.ts'
import { rooms, type Room } from './rooms.ts'
import { copyOfTheTree, root } from './tree.ts'

const usage = `npm run mutation -- [--room NAME]… [--sample N] [--seed S] [--minutes N] [--patience S] [--again] [--page]
                    [--files GLOB]… [--tests GLOB]… [--shard 1/2]

Puts one small fault after another into a copy of the tree and runs the tests that cover its place: a mutant that no test
fails for has survived. What was tried is in mutation-report/results.jsonl and is not tried again; the survivors, and what
test/mutation/judged.json says of them, are in mutation-report/survivors.md. Ends with 1 if one of them is not judged there.

  --room      what to mutate: ${rooms.map(({ name }) => name).join(', ')}; all of them, unless given
  --sample    how many mutants of each room to try; its own number, unless given; "all" for every one
  --seed      which ones; the sample of a seed stays as it is while the sources do
  --minutes   stop after so long; the next run goes on. 0 tries nothing: the lists are written anew
  --patience  how many seconds of tests a mutant has to survive
  --again     try again what survived or ran out of time before, as after a new test or on a machine that was busy
  --page      write docs/mutation.md
  --planted   instead of all this, the faults of test/mutation/planted.json, each against the tests that must notice it
  --files     sources of the rooms to be content with; all, unless given
  --tests     test files to judge by; unit, contract and black-box tests without the SDKs, unless given
  --shard     every second mutant, for two runs side by side
`
const { values: given } = parseArgs({
  options: {
    room: { type: 'string', multiple: true, default: rooms.map(({ name }) => name) },
    sample: { type: 'string' },
    seed: { type: 'string', default: 'hubward' },
    minutes: { type: 'string', default: '600' },
    patience: { type: 'string', default: '20' },
    again: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
    planted: { type: 'boolean', default: false },
    files: { type: 'string', multiple: true, default: ['src/**'] },
    tests: {
      type: 'string',
      multiple: true,
      default: [
        'src/**/*.test.ts',
        'test/contract/*.test.ts',
        'test/{wire,decisions,service,management,tpm}/!(sdk|matrix).test.ts',
      ],
    },
    shard: { type: 'string', default: '1/1' },
    help: { type: 'boolean', default: false },
  },
})
const folder = join(root, 'mutation-report')
const resultsFile = join(folder, 'results.jsonl')

if (given.help) process.stdout.write(usage)
else if (given.planted) {
  if (!(await inCopy(plant))) process.exitCode = 1
} else {
  mkdirSync(folder, { recursive: true })
  const chosen = chooseMutants()
  await tryAll([...chosen.values()].flatMap(({ sample }) => sample))
  report(chosen)
}

/** What each room has, and what of it is tried. */
function chooseMutants(): ReadonlyMap<Room, { readonly mutants: number; readonly sample: readonly Named[] }> {
  const taken = new Set<string>()
  const wanted = new Set(globSync(given.files, { cwd: root }))
  const chosen = new Map<Room, { mutants: number; sample: readonly Named[] }>()
  for (const room of rooms) {
    const own = room.files
      .flatMap((glob) => globSync(glob, { cwd: root }).sort())
      .filter((file) => !taken.has(file) && !/\.test\.ts$|stub-service|-page\.ts$/.test(file))
    own.forEach((file) => taken.add(file))
    if (!given.room.includes(room.name)) continue
    const mutants = own.flatMap((file) => namedMutantsOf(file, readFileSync(join(root, file), 'utf8')))
    const count = given.sample === 'all' ? Infinity : Number(given.sample ?? room.sample)
    const sample = drawn(mutants, count, given.seed).filter(({ file }) => wanted.has(file))
    chosen.set(room, { mutants: mutants.length, sample })
  }
  return chosen
}

async function tryAll(sample: readonly Named[]): Promise<void> {
  const done = results()
  const [part = 1, of = 1] = given.shard.split('/').map(Number)
  const open = sample
    .filter(({ key }) => !done.has(key) || (given.again && done.get(key)!.verdict !== 'killed'))
    .filter((_, index) => index % of === part - 1)
  if (open.length === 0 || Number(given.minutes) === 0) return
  await inCopy(async (copy) => {
    const tests = [...new Set(given.tests.flatMap((glob) => globSync(glob, { cwd: copy })))].sort()
    const covered = await coverageOf(copy, tests, join(folder, 'coverage.json'))
    const judge = createJudge(copy, covered, 1000 * Number(given.patience))
    const until = Date.now() + Number(given.minutes) * 60_000
    for (const [index, mutant] of open.entries()) {
      if (Date.now() > until) break
      const result = await judge(mutant)
      appendFileSync(resultsFile, JSON.stringify(result) + '\n')
      const { file, line, kind, fault, verdict } = result
      if (verdict === 'survived' || verdict === 'not covered')
        process.stdout.write(`${index + 1}/${open.length} ${verdict}: ${file}:${line} ${kind}: ${fault}\n`)
    }
  })
}

/** Works in a copy of the tree, which goes when that is done. */
async function inCopy<T>(work: (copy: string) => Promise<T>): Promise<T> {
  const copy = copyOfTheTree()
  try {
    return await work(copy)
  } finally {
    for (const part of ['', '.compiled', '.temporary']) rmSync(copy + part, { recursive: true, force: true })
  }
}

/** The last word about each mutant. */
function results(): ReadonlyMap<string, Result> {
  if (!existsSync(resultsFile)) return new Map()
  const lines = readFileSync(resultsFile, 'utf8').trim().split('\n')
  return new Map(lines.map((line) => JSON.parse(line) as Result).map((result) => [result.key, result]))
}

function report(chosen: ReturnType<typeof chooseMutants>): void {
  const known = results()
  const found: RoomResults[] = [...chosen].map(([{ name }, { mutants, sample }]) => {
    const tried = sample.filter(({ key }) => known.has(key))
    return { name, mutants, results: tried.map((mutant) => ({ ...known.get(mutant.key)!, ...mutant })) }
  })
  const judged = readJudged()
  const list = survivorList(found, judged)
  writeFileSync(join(folder, 'survivors.md'), `${table(found, judged)}\n${list}`)
  if (given.page) writeFileSync(join(root, 'docs', 'mutation.md'), page(given.seed, table(found, judged), list))
  process.stdout.write(table(found, judged))
  for (const line of outdated(judged)) process.stdout.write(`judged, and gone: ${line}\n`)
  const open = found.flatMap(({ results }) => survivors(results)).filter((one) => !judgementOf(judged, one))
  for (const { file, line, kind, fault } of open)
    process.stdout.write(`not judged: ${file}:${line} ${kind}: ${fault}\n`)
  if (open.length > 0) process.exitCode = 1
}
