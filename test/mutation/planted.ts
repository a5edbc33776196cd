import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runTest } from './covering.ts'

/** A fault that once went unnoticed, or would cost much: planted.json names it, and the tests that are there to notice it. */
interface Planted {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
  readonly tests: readonly string[]
}

/** Plants each fault in the copy by itself; whether one of its tests noticed every one. */
export async function plant(copy: string): Promise<boolean> {
  const all = JSON.parse(readFileSync(join(import.meta.dirname, 'planted.json'), 'utf8')) as readonly Planted[]
  let missed = 0
  for (const planted of all) {
    const by = await noticedBy(copy, planted)
    if (by === undefined) missed += 1
    process.stdout.write(`${planted.name}: ${by === undefined ? 'NOT NOTICED' : `noticed by ${by}`}\n`)
  }
  process.stdout.write(`${all.length} planted, ${missed} not noticed\n`)
  return missed === 0
}

async function noticedBy(copy: string, { name, file, from, to, tests }: Planted): Promise<string | undefined> {
  const place = join(copy, file)
  const source = readFileSync(place, 'utf8')
  if (source.split(from).length !== 2) throw new Error(`planted.json, ${name}: ${file} has not once ${from}`)
  writeFileSync(
    place,
    source.replace(from, () => to),
  )
  try {
    for (const test of tests) if ((await runTest(copy, test, 300_000)) !== 'passed') return test
    return undefined
  } finally {
    writeFileSync(place, source)
  }
}
