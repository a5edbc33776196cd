import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '..')
const law = ['main', 'transport', 'enrollment', 'registration', 'attestation', 'allocation', 'hub', 'store', 'model']
const everything = readdirSync(join(root, 'src'), { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
)

/** Whether the linter refuses a file in `src/<from>/` that imports from `src/<to>/`. */
async function refuses(from: string, to: string): Promise<boolean> {
  const folder = mkdtempSync(join(root, 'src', from, 'planted-'))
  try {
    const file = join(folder, 'violation.ts')
    writeFileSync(file, `import type { planted } from '../../${to}/planted.ts'\n\nexport type Planted = planted\n`)
    const { stdout } = await promisify(execFile)(join(root, 'node_modules/.bin/oxlint'), [file], { cwd: root }).catch(
      (error: { stdout: string }) => error,
    )
    return stdout.includes('no-restricted-imports')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

for (const [at, from] of law.entries()) {
  test(`the linter lets ${from} import from its right only`, async () => {
    for (const [other, to] of law.entries()) {
      if (other !== at) assert.equal(await refuses(from, to), other < at, `${from} imports from ${to}`)
    }
    for (const apart of ['bundled-hub', 'cli']) {
      if (from !== 'main' && everything.includes(apart))
        assert.ok(await refuses(from, apart), `${from} imports from ${apart}`)
    }
  })
}

test('wire and sqlite import nothing of ours, the bundled hub only those two, and the CLI never the store', async () => {
  for (const to of [...law, 'bundled-hub']) {
    assert.ok(await refuses('wire', to), `wire imports from ${to}`)
    assert.ok(await refuses('sqlite', to), `sqlite imports from ${to}`)
    if (to !== 'bundled-hub') assert.ok(await refuses('bundled-hub', to), `bundled-hub imports from ${to}`)
    if (everything.includes('cli')) assert.ok(await refuses('cli', to), `cli imports from ${to}`)
  }
  assert.equal(await refuses('bundled-hub', 'wire'), false)
})

test('every directory of src has its place in the law', async () => {
  const apart = ['wire', 'sqlite', 'bundled-hub', 'cli']
  assert.deepEqual(
    everything.filter((directory) => !law.includes(directory) && !apart.includes(directory)),
    [],
  )
})
