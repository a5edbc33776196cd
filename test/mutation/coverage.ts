import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { coveredBy, type Covered } from './covering.ts'

/** What each test file covers that passes: found once for each version of it and of the sources, and kept in `file`. */
export async function coverageOf(
  copy: string,
  tests: readonly string[],
  file: string,
): Promise<ReadonlyMap<string, Covered>> {
  const version = versionOfSources(copy)
  const read = (): Record<string, Covered> =>
    existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, Covered>) : {}
  const known = read()
  const covered = new Map<string, Covered>()
  for (const test of tests) {
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
    // Another run beside this one may have found others meanwhile.
    if (!known[key]) writeFileSync(file, JSON.stringify({ ...read(), [key]: found }))
    covered.set(test, found)
  }
  return covered
}

function versionOfSources(copy: string): string {
  const sources = createHash('sha256')
  for (const file of globSync('src/**/*.ts', { cwd: copy }).sort())
    if (!file.endsWith('.test.ts')) sources.update(readFileSync(join(copy, file)))
  return sources.digest('hex')
}
