import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { ensureNodeSdk } from '../../sdk/install.ts'
import { ensureDebian } from '../fixtures/debian.ts'

const root = join(import.meta.dirname, '..', '..')

test('a signal to npm run demo ends it with its service, and removes its folder', async (t) => {
  await ensureDebian(['iproute2'])
  await ensureNodeSdk()
  const folder = await mkdtemp(join(tmpdir(), 'hubward-demo-'))
  t.after(() => rm(folder, { recursive: true }))
  // A network of its own, because the demo's addresses are those of a service that may run on this machine.
  const command = ['--net', 'sh', '-c', 'ip link set lo up && exec npm run demo']
  const demo = spawn('unshare', command, { cwd: root, env: { ...process.env, TMPDIR: folder }, stdio: 'ignore' })
  const ended = once(demo, 'close')

  await until(() => globSync(join(folder, 'hubward-test-*', 'connection.env')).length === 1)
  assert.notDeepEqual(await processesOf(folder), [])
  demo.kill('SIGTERM')
  const [code] = (await ended) as [number | null]
  assert.notEqual(code, 0)
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('hubward-')),
    [],
  )
  assert.deepEqual(await processesOf(folder), [])
})

async function until(condition: () => boolean): Promise<void> {
  for (const limit = Date.now() + 60_000; !condition(); await wait(50)) {
    if (Date.now() > limit) throw new Error('The demo did not start its service')
  }
}

/** The command lines that name the folder: the service of the demo is told where to keep its data. */
async function processesOf(folder: string): Promise<string[]> {
  const lines = await Promise.all(
    globSync('/proc/[0-9]*/cmdline').map((file) => readFile(file, 'utf8').catch(() => '')),
  )
  return lines.filter((line) => line.includes(join(folder, 'hubward-test-')))
}
