import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** What a test file ran of each source, as spans of its text, and how long it took. */
export interface Covered {
  readonly milliseconds: number
  readonly files: Readonly<Record<string, readonly (readonly [start: number, end: number])[]>>
}

interface Script {
  readonly url: string
  readonly functions: readonly { readonly ranges: readonly Range[] }[]
}

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

/** How a run of a test file ended. */
export type Verdict = 'passed' | 'failed' | 'timeout'

/**
 * As root, a test has a network and mounts of its own: it does not meet the services of another run, and what it had mounted
 * when it was ended goes with it.
 */
const alone =
  process.getuid?.() === 0 ? ['unshare', '--net', '--mount', 'sh', '-c', 'ip link set lo up && exec "$0" "$@"'] : []

/**
 * Run one test file of the tree until its first test fails; whatever it started ends with it. `timeout` in milliseconds.
 * Its temporary files, and what Node compiled, are in the folder beside the tree.
 */
export function runTest(root: string, file: string, timeout: number, environment: object = {}): Promise<Verdict> {
  const folder = `${root}.temporary`
  mkdirSync(folder, { recursive: true })
  return new Promise((resolve) => {
    const env = { ...process.env, TMPDIR: folder, NODE_COMPILE_CACHE: `${root}.compiled`, ...environment }
    const [program, ...words] = [...alone, process.execPath, '--no-warnings', '--test-reporter=tap', file]
    const child = spawn(program!, words, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
      env,
    })
    let early: Verdict | undefined
    const end = (verdict?: Verdict): void => {
      early ??= verdict
      try {
        process.kill(-child.pid!, 'SIGKILL')
      } catch {
        // All of the group has ended already.
      }
    }
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said = said.slice(said.lastIndexOf('\n') + 1) + chunk.toString()
      if (/^ *not ok /m.test(said)) end('failed')
    })
    const limit = setTimeout(() => end('timeout'), timeout)
    child.once('exit', (code) => {
      clearTimeout(limit)
      end()
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
      resolve(early ?? (code === 0 ? 'passed' : 'failed'))
    })
  })
}

/** What a test file that passes covers, in the processes that it starts, too; undefined if it fails as the tree is. */
export async function coveredBy(root: string, test: string): Promise<Covered | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'hubward-coverage-'))
  try {
    const began = performance.now()
    const NODE_OPTIONS = `--import=${pathToFileURL(join(import.meta.dirname, 'take-coverage.ts'))}`
    const environment = { NODE_V8_COVERAGE: folder, NODE_OPTIONS, NODE_DISABLE_COMPILE_CACHE: '1' }
    if ((await runTest(root, test, 300_000, environment)) !== 'passed') return undefined
    return { milliseconds: performance.now() - began, files: readSpans(root, folder) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The spans of all processes and threads that the test ran in, put together. */
function readSpans(root: string, folder: string): Covered['files'] {
  const painted = new Map<string, Uint8Array>()
  for (const name of readdirSync(folder)) {
    for (const { url, functions } of readScripts(join(folder, name))) {
      if (!url.startsWith('file:')) continue
      const file = relative(root, fileURLToPath(url))
      if (!file.startsWith('src/') || file.endsWith('.test.ts')) continue
      const own = paint(functions)
      const before = painted.get(file)
      if (before) before.forEach((mark, at) => (before[at] = mark | (own[at] ?? 0)))
      else painted.set(file, own)
    }
  }
  return Object.fromEntries([...painted].map(([file, marks]) => [file, spansOf(marks)]))
}

/** None, if the process was killed while it wrote them. */
function readScripts(file: string): readonly Script[] {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { readonly result: readonly Script[] }).result
  } catch {
    return []
  }
}

/** Inner ranges come after the ones around them, and say more. */
function paint(functions: Script['functions']): Uint8Array {
  const ranges = functions.flatMap((one) => one.ranges)
  const marks = new Uint8Array(Math.max(...ranges.map(({ endOffset }) => endOffset)))
  for (const { startOffset, endOffset, count } of ranges) marks.fill(count > 0 ? 1 : 0, startOffset, endOffset)
  return marks
}

function spansOf(marks: Uint8Array): [number, number][] {
  const spans: [number, number][] = []
  for (let at = marks.indexOf(1); at >= 0;) {
    const end = marks.indexOf(0, at)
    spans.push([at, end < 0 ? marks.length : end])
    at = end < 0 ? -1 : marks.indexOf(1, end)
  }
  return spans
}
