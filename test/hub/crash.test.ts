import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { ask, list, member, object, open } from '../fixtures/bundled-hub.ts'

test('kill -9 at a random moment loses nothing that was acknowledged, and needs no repair', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'hub-crash-'))
  try {
    let checked = 0
    for (let round = 0; round < 3; round++) {
      const acknowledged = await writeAndKill(directory, randomInt(20, 200))
      await using hub = await open({ directory })
      for (const line of acknowledged) {
        const [deviceId = '', key] = line.split(' ')
        const device = object(await ask(hub, 'GET', `/devices/${deviceId}`))
        assert.equal(member(device, 'authentication', 'symmetricKey', 'primaryKey'), key)
        assert.equal(member(object(await ask(hub, 'GET', `/twins/${deviceId}`)), 'tags', 'key'), key)
        assert.equal(list(await ask(hub, 'GET', `/devices/${deviceId}/modules`)).length, 2)
        checked++
      }
    }
    assert.ok(checked >= 60)
  } finally {
    await rm(directory, { recursive: true })
  }
})

async function writeAndKill(directory: string, lines: number): Promise<string[]> {
  const writer = spawn(process.execPath, [join(import.meta.dirname, 'crash-writer.ts'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const acknowledged: string[] = []
  const closed = once(writer, 'close')
  createInterface(writer.stdout).on('line', (line) => {
    if (acknowledged.push(line) === lines) writer.kill('SIGKILL')
  })
  await closed
  return acknowledged
}
