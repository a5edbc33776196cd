import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { exclusively } from './exclusive.ts'

test('one holder at a time, whoever asks', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hubward-lock-'))
  t.after(() => rm(folder, { recursive: true }))
  let holders = 0
  let most = 0
  const work = async (): Promise<void> => {
    most = Math.max(most, ++holders)
    await wait(5)
    holders -= 1
  }
  await Promise.all(Array.from({ length: 4 }, () => exclusively(join(folder, 'lock'), work)))
  assert.deepEqual({ holders, most }, { holders: 0, most: 1 })
})

test('a holder that is killed lets go', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hubward-lock-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'lock')
  const program = `import { exclusively } from ${JSON.stringify(import.meta.resolve('./exclusive.ts'))}
    await exclusively(${JSON.stringify(file)}, () => { console.log('held'); return new Promise((resolve) => setTimeout(resolve, 60_000)) })`
  const holder = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  let done = false
  const waiting = exclusively(file, async () => void (done = true))
  await wait(300)
  assert.equal(done, false)
  holder.kill('SIGKILL')
  await waiting
  assert.equal(done, true)
})

test('what the work throws comes through, and the lock is free again', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hubward-lock-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'lock')
  await assert.rejects(
    exclusively(file, () => Promise.reject(new Error('no registry'))),
    /no registry/,
  )
  await exclusively(file, async () => undefined)
})
