import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { deploymentKey } from '../store/deployment-key.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { ConfigurationError } from './configuration.ts'
import { holdDataFolder } from './data-folder.ts'
import { writeConnectionFile } from './connection-file.ts'

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

test('a new data folder, and what is made in it, is its owner’s only, whatever the umask', async () => {
  const before = process.umask(0)
  try {
    const parent = join(mkdtempSync(join(tmpdir(), 'hubward-modes-')), 'parent')
    const folder = join(parent, 'data')
    using _ = holdDataFolder(folder)
    await using store = openSqliteStore(folder)
    await deploymentKey(store, 'some')
    writeConnectionFile(folder, new Map([['HUBWARD_MANAGEMENT_TOKEN', 'secret']]))
    const modes = readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mode & 0o777] as const)
    assert.ok(modes.some(([name]) => name === 'hubward.db-wal'))
    assert.ok(modes.some(([name]) => name === 'hubward.db-commits'))
    assert.deepEqual(
      modes.filter(([, mode]) => mode !== 0o600),
      [],
    )
    assert.deepEqual([statSync(parent).mode & 0o777, statSync(folder).mode & 0o777], [0o700, 0o700])
  } finally {
    process.umask(before)
  }
})
