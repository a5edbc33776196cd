import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** The tree that this program is part of. */
export const root = join(import.meta.dirname, '..', '..')

/** What is no part of the repository, and tests need. */
const installed = ['node_modules', 'sdk/.installed', 'sdk/node/node_modules', 'sdk/python/packages']

/** Never the tree itself: whoever works in it would find the faults there. */
export function copyOfTheTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'hubward-mutation-'))
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n')
  for (const file of files) {
    if (!existsSync(join(root, file))) continue
    mkdirSync(join(copy, dirname(file)), { recursive: true })
    cpSync(join(root, file), join(copy, file))
  }
  for (const folder of installed)
    if (existsSync(join(root, folder))) symlinkSync(join(root, folder), join(copy, folder))
  return copy
}
