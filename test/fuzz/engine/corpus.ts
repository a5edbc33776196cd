import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** An input that is kept in the repository: named by its digest, or, if it once broke something, by what it broke. */
export interface Kept {
  readonly name: string
  readonly bytes: Buffer
}

export const corpusFolder: string = join(import.meta.dirname, '..', 'corpus')

/** The inputs kept for a target, in the order of their names. */
export function readCorpus(target: string): readonly Kept[] {
  const folder = join(corpusFolder, target)
  let found: string[] = []
  try {
    found = readdirSync(folder).sort()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  return found.map((name) => ({ name, bytes: readFileSync(join(folder, name)) }))
}

/** Keep these inputs of a target, and of those kept before only the ones that are named by what they broke. */
export function keep(target: string, inputs: readonly Buffer[]): void {
  const folder = join(corpusFolder, target)
  mkdirSync(folder, { recursive: true })
  for (const { name } of readCorpus(target)) if (digestShape.test(name)) rmSync(join(folder, name))
  for (const input of inputs) if (input.length <= longest) writeFileSync(join(folder, `${digest(input)}.bin`), input)
}

/** In bytes: a corpus is cloned by everybody. */
const longest = 4096
const digestShape = /^[0-9a-f]{12}\.bin$/

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 12)
}
