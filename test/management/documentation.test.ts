import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import { openControlPlane, type ControlPlane } from './control-plane.ts'

const root = join(import.meta.dirname, '..', '..')
let plane: ControlPlane
let folder: string
before(async () => {
  plane = await openControlPlane('127.80.8')
  folder = await mkdtemp(join(tmpdir(), 'hubward-documentation-'))
  const command = join(folder, 'hubward')
  await writeFile(command, `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'bin', 'hubward.js')}' "$@"\n`)
  await chmod(command, 0o755)
})
after(async () => {
  await plane[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const page = await readFile(join(root, 'docs', 'management.md'), 'utf8')
const examples = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, script]) => script!)
assert.ok(examples.length >= 4)

for (const [index, script] of examples.entries()) {
  test(`example ${index + 1} of docs/management.md works as it is pasted: ${script.split('\n')[0]}`, async () => {
    const env = {
      ...process.env,
      PATH: [folder, process.env['PATH']].join(delimiter),
      HUBWARD_DATA: plane.service.dataFolder,
    }
    const paste = `. "$HUBWARD_DATA/connection.env"\n${script}`
    const child = spawn('sh', ['-ec', paste], { env, cwd: folder })
    let said = ''
    child.stdout.resume()
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const [code] = (await once(child, 'close')) as [number]
    assert.equal(code, 0, said)
  })
}
