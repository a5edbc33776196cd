import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { pathToFileURL } from 'node:url'
import { conversations } from './connections/all.ts'
import { readScript, writeScript } from './connections/script.ts'
import { openSubject, type Subject } from './connections/subject.ts'
import { talk, wrongAfter } from './connections/talk.ts'
import { keep, readCorpus } from './engine/corpus.ts'
import { countBlocks, type Coverage } from './engine/coverage.ts'
import { Random } from './engine/random.ts'
import { attempt, distilled, search } from './engine/search.ts'
import { loadFrom, type Target } from './engine/target.ts'
import { parserTargets } from './targets/all.ts'

const usage = `npm run fuzz -- [--minutes 10] [--target NAME] [--seed S] [--against DIR] [--keep] [--replay FILE]

  --minutes   for all targets together, each has an equal share
  --target    one target, or \`parsers\` or \`connections\`; may be given more than once
  --seed      the same seed finds the same
  --against   fuzz the tree in this folder, such as a worktree of an older commit
  --keep      put the inputs that reached something new into the corpus
  --replay    try one input: of a parser (with --target), or a conversation
`
const { values: given } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    target: { type: 'string', multiple: true },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
    against: { type: 'string', default: join(import.meta.dirname, '..', '..') },
    keep: { type: 'boolean', default: false },
    replay: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const network = '127.65.2'
const findings = 'fuzz-findings'
const seed = Number(given.seed)
const root = resolve(given.against)
const load = loadFrom(root)
const say = (line: string): void => void process.stdout.write(`${line}\n`)

if (given.help) say(usage)
else if (given.replay !== undefined) await replay(given.replay)
else await fuzz()

async function fuzz(): Promise<void> {
  say(`seed ${seed}, against ${root}`)
  const coverage = countBlocks(pathToFileURL(join(root, 'src')).href)
  const parsers = (await parserTargets(load)).filter(({ name }) => isWanted(name, 'parsers'))
  await using subject = isAnyConnectionWanted() ? await openSubject(root, network) : undefined
  const talks = subject
    ? [...(await conversations(load, subject))].filter(([name]) => isWanted(name, 'connections'))
    : []
  const share = (Number(given.minutes) * 60_000) / (parsers.length + talks.length)
  for (const target of parsers) report(target.name, await fuzzParser(target, coverage, share))
  coverage.stop()
  for (const [name, make] of talks) report(name, await fuzzConnections(subject!, name, make, share))
}

function isWanted(name: string, kind: string): boolean {
  return given.target === undefined || given.target.includes(name) || given.target.includes(kind)
}

/** Whether a service has to be started; names that no parser has are taken for ways to talk. */
function isAnyConnectionWanted(): boolean {
  const ways = ['websocket', 'mqtt', 'amqp', 'http', 'hub', 'management', 'client-certificate', 'tls', 'proxy']
  return ways.some((name) => isWanted(name, 'connections'))
}

interface Result {
  readonly tried: number
  readonly note: string
  readonly wrong?: string
}

function report(name: string, { tried, note, wrong }: Result): void {
  say(
    `${name.padEnd(20)} ${String(tried).padStart(9)}  ${note}${wrong === undefined ? '' : `\n  FOUND after ${tried}: ${wrong}`}`,
  )
  if (wrong !== undefined) process.exitCode = 1
}

async function fuzzParser(target: Target, coverage: Coverage, share: number): Promise<Result> {
  const until = Date.now() + share
  const corpus = readCorpus(target.name).map(({ bytes }) => bytes)
  const { inputs, found, finding } = await search(target, { seed, corpus, goOn: () => Date.now() < until, coverage })
  if (given.keep && !finding) keep(target.name, await distilled(target, [...corpus, ...found], coverage))
  const note = `${found.length} of them reached something new`
  if (!finding) return { tried: inputs, note }
  const file = write(`${target.name}.bin`, finding.input)
  return { tried: finding.after, note, wrong: `${brief(finding.error)} (${finding.input.length} bytes in ${file})` }
}

async function fuzzConnections(
  subject: Subject,
  name: string,
  make: Parameters<typeof talk>[1],
  share: number,
): Promise<Result> {
  await subject.recover()
  const until = Date.now() + share
  const {
    conversations: held,
    ends,
    peak,
    trouble,
  } = await talk(subject, make, { seed, goOn: () => Date.now() < until })
  const note = `${JSON.stringify(ends)}, ${Math.round(peak / 2 ** 20)} MB more at most`
  if (!trouble) return { tried: held, note }
  const files = trouble.conversations.map((one, at) => write(`${name}-${at + 1}.script`, Buffer.from(writeScript(one))))
  return { tried: held, note, wrong: `${trouble.what.slice(0, 2000)}\n  ${files.join(', ')}` }
}

async function replay(file: string): Promise<void> {
  const bytes = readFileSync(file)
  if (file.endsWith('.script')) {
    const conversation = readScript(bytes.toString())
    await using subject = await openSubject(root, network)
    await subject.registerHonestly()
    const wrong = await wrongAfter(subject, [conversation], new Random(seed), subject.held().memory)
    report(file, { tried: 1, note: 'a conversation', ...(wrong !== undefined && { wrong }) })
    return
  }
  const target = (await parserTargets(load)).find(({ name }) => given.target?.includes(name))
  if (!target) throw new Error('Which parser is this for? Name it with --target.')
  const error = await attempt(target, bytes)
  report(target.name, { tried: 1, note: file, ...(error && { wrong: brief(error.thrown) }) })
}

function write(name: string, bytes: Buffer): string {
  mkdirSync(findings, { recursive: true })
  const file = join(findings, name)
  writeFileSync(file, bytes)
  return file
}

function brief(error: unknown): string {
  return error instanceof Error
    ? (error.stack ?? error.message).split('\n').slice(0, 6).join('\n    ').slice(0, 1500)
    : String(error)
}
