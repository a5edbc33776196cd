import assert from 'node:assert/strict'
import { globSync, readdirSync, readFileSync } from 'node:fs'
import { join, normalize, sep } from 'node:path'
import { test } from 'node:test'
import { line, lintRules, mayImport, rooms } from '../tools/law.ts'

const root = join(import.meta.dirname, '..')

/** What a file imports of ours: types, values, and what it loads later. */
function importsOf(text: string): string[] {
  const imported = /(?:from\s+|import\s+|import\(\s*|new URL\(\s*)'(\.[^']+\.ts)'/g
  return [...text.matchAll(imported)].map(([, path]) => path!)
}

/** The imports of a file that the law refuses. */
function breaches(file: string, text: string): string[] {
  const room = (path: string): string => path.split(sep)[1] ?? ''
  return importsOf(text)
    .map((path) => normalize(join(file, '..', path)))
    .filter((path) => path.startsWith(`src${sep}`) && !mayImport(room(file), room(path)))
    .map((path) => `${file} imports ${path}`)
}

test('no file imports to its left', () => {
  const files = globSync('src/*/**/*.ts', { cwd: root })
  const found = files.map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }))
  assert.deepEqual(
    found.flatMap(({ file, text }) => breaches(file, text)),
    [],
  )
  const imports = found.reduce((sum, { text }) => sum + importsOf(text).length, 0)
  assert.ok(imports > 1000, `only ${imports} imports were found: the pattern is blind`)
})

test('an import to the left is noticed, whatever it looks like', () => {
  for (const [at, from] of line.entries()) {
    for (const to of line.slice(0, at)) {
      const path = `../${to}/planted.ts`
      for (const text of [
        `import { a } from '${path}'`,
        `import type { A } from '${path}'`,
        `import '${path}'`,
        `export * from '${path}'`,
        `await import('${path}')`,
        `new Worker(new URL('${path}', import.meta.url))`,
        `import {\n  a,\n} from '${path}'`,
      ]) {
        assert.equal(breaches(`src/${from}/planted.ts`, text).length, 1, `${from} imports ${to}: ${text}`)
      }
    }
    for (const to of line.slice(at))
      assert.deepEqual(breaches(`src/${from}/planted.ts`, `import '../${to}/planted.ts'`), [])
  }
})

test('wire and sqlite import the ground floor only, the bundled hub those three, and nobody the CLI', () => {
  for (const to of rooms) {
    for (const from of ['wire', 'sqlite']) assert.equal(mayImport(from, to), to === from || to === 'base')
    assert.equal(mayImport('base', to), to === 'base')
    assert.equal(mayImport('bundled-hub', to), ['bundled-hub', 'wire', 'sqlite', 'base'].includes(to))
    assert.equal(mayImport(to, 'cli'), to === 'cli')
  }
})

test('every directory of src has its place in the law', () => {
  const directories = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  assert.deepEqual(directories.map(({ name }) => name).sort(), [...rooms].sort())
})

test('the linter says what the law says: npm run docs writes it', () => {
  const { overrides } = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8')) as { overrides: unknown[] }
  for (const rule of lintRules()) {
    assert.ok(
      overrides.some((override) => JSON.stringify(override) === JSON.stringify(rule)),
      JSON.stringify(rule),
    )
  }
})

test('no two exported types have one name', () => {
  const declared = globSync('src/**/*.ts', { cwd: root }).flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/^export (?:interface|type|class) (\w+)/gm)].map(
      ([, name]) => name!,
    ),
  )
  assert.ok(declared.length > 300)
  assert.deepEqual(
    declared.filter((name, index) => declared.indexOf(name) !== index),
    [],
  )
})

test('transport reads requests and writes answers: it writes nothing to the store', () => {
  const writes = (text: string) => /\.transact\b|\btransact\s*[(},]/.test(text)
  assert.ok(writes('await store.transact((write) => write)') && writes('const { transact } = store'))
  const files = globSync('src/transport/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts'))
  assert.ok(files.length > 20)
  assert.deepEqual(
    files.filter((file) => writes(readFileSync(join(root, file), 'utf8'))),
    [],
  )
})
