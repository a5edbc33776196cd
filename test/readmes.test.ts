import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { mayImport, rooms } from '../tools/law.ts'

const root = join(import.meta.dirname, '..')
const directories = [...new Set(globSync('src/*/**/*.ts', { cwd: root }).map(dirname))].sort()

for (const directory of directories) {
  test(`${directory} says its job, and what it says is so`, () => {
    const text = readFileSync(join(root, directory, 'README.md'), 'utf8')
    for (const part of ['In', 'Out', 'May import', 'To add', 'Tests'])
      assert.match(text, new RegExp(`^- \\*\\*${part}\\*\\*: `, 'm'), part)
    const [, room = '', ...below] = directory.split('/')
    if (below.length === 0) {
      const [, said = ''] = /^- \*\*May import\*\*: (.*)$/m.exec(text) ?? []
      const law = rooms.filter((to) => to !== room && mayImport(room, to))
      const named = [...said.matchAll(/`([\w-]+)`/g)].map(([, name]) => name)
      assert.deepEqual(named.sort(), law.sort())
    }
    for (const [, target = ''] of text.matchAll(/\]\(([^)]+)\)/g))
      assert.ok(existsSync(join(root, directory, target)), `there is no ${target}`)
    for (const [, path = ''] of text.matchAll(/`(?:npm |node )?(?:--test )?"?((?:test|src)\/[^"`]+)"?`/g)) {
      for (const pattern of path.split(' '))
        assert.ok(globSync(pattern, { cwd: root }).length > 0, `there is no ${pattern}`)
    }
  })
}
