import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigurationError } from './configuration.ts'
import { holdDataFolder } from './data-folder.ts'

test('a data folder is one process’s at a time, and free again when that process is killed', async () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'hubward-folder-')), 'data')
  const module = JSON.stringify(new URL('data-folder.ts', import.meta.url).href)
  const program = `const { holdDataFolder } = await import(${module}); using held = holdDataFolder(${JSON.stringify(folder)}); console.log('held'); await new Promise(() => setInterval(() => held, 1000))`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(holder, 'close')
  try {
    await once(holder.stdout, 'data')
    assert.throws(
      () => holdDataFolder(folder),
      (error) => error instanceof ConfigurationError && /data is .*another Hubward is using/.test(error.message),
    )
  } finally {
    holder.kill('SIGKILL')
    await ended
  }
  using held = holdDataFolder(folder)
  assert.ok(held)
})
