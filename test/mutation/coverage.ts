import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { coveredBy, type Covered } from './covering.ts'

/** By test file; `of` is a digest of the test and of the sources that it covered. */
type Kept = Readonly<Record<string, Covered & { readonly of: string }>>

/** What each test file covers that passes: kept in `file`, and found anew when the test or a source that it covers has changed. */
export async function coverageOf(
  copy: string,
  tests: readonly string[],
  file: string,
): Promise<ReadonlyMap<string, Covered>> {
  const read = (): Kept => (existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Kept) : {})
  const kept = read()
  const covered = new Map<string, Covered>()
  for (const test of tests) {
    const before = kept[test]
    if (before && before.of === digestOf(copy, test, before)) {
      covered.set(test, before)
      continue
    }
    const found = await coveredBy(copy, test)
    if (!found) {
      process.stdout.write(`${test} does not pass as it is, and judges nothing\n`)
      continue
    }
    covered.set(test, found)
    // Another run beside this one may have found others meanwhile.
    writeFileSync(file, JSON.stringify({ ...read(), [test]: { of: digestOf(copy, test, found), ...found } }))
  }
  return covered
}

function digestOf(copy: string, test: string, { files }: Covered): string {
  const digest = createHash('sha256')
  for (const file of [test, ...Object.keys(files).sort()])
    digest.update(existsSync(join(copy, file)) ? readFileSync(join(copy, file)) : '')
  return digest.digest('hex').slice(0, 16)
}
