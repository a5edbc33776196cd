import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

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

/** Run one test file of the tree; whatever it started ends with it. `timeout` in milliseconds. */
export function runTest(root: string, file: string, timeout: number, environment: object = {}): Promise<Verdict> {
  return new Promise((resolve) => {
    const options = { cwd: root, stdio: 'ignore', detached: true, env: { ...process.env, ...environment } } as const
    const child = spawn(process.execPath, ['--no-warnings', file], options)
    const end = (): void => {
      try {
        process.kill(-child.pid!, 'SIGKILL')
      } catch {
        // All of the group has ended already.
      }
    }
    let late = false
    const limit = setTimeout(() => ((late = true), end()), timeout)
    child.once('exit', (code) => {
      clearTimeout(limit)
      end()
      resolve(late ? 'timeout' : code === 0 ? 'passed' : 'failed')
    })
  })
}

/** What a test file that passes covers; undefined if it does not pass as the tree is. */
export async function coveredBy(root: string, test: string): Promise<Covered | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'hubward-coverage-'))
  try {
    const began = performance.now()
    if ((await runTest(root, test, 300_000, { NODE_V8_COVERAGE: folder })) !== 'passed') return undefined
    return { milliseconds: performance.now() - began, files: readSpans(root, folder) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The spans of all processes and threads that the test ran in, put together. */
function readSpans(root: string, folder: string): Covered['files'] {
  const painted = new Map<string, Uint8Array>()
  for (const name of readdirSync(folder)) {
    const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { readonly result: readonly Script[] }
    for (const { url, functions } of result) {
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
