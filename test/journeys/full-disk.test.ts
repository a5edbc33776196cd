import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  assertAllThere,
  assertReadsAnswered,
  assertRecovered,
  assertRefused,
  assertWritesRefused,
  openFleet,
  type Fleet,
} from './disk-faults/fleet.ts'

let mount: string
let fleet: Fleet

// A real file system of a few megabytes, which takes root to mount.
before(async () => {
  mount = mkdtempSync(join(tmpdir(), 'hubward-small-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'none', mount])
  process.env['TMPDIR'] = mount
  fleet = await openFleet('127.61.3')
})

after(async () => {
  await fleet?.[Symbol.asyncDispose]()
  execFileSync('umount', ['-l', mount])
  rmSync(mount, { recursive: true })
})

const timeout = 120_000

test(
  'a full disk refuses what must be written, in words that every client knows, and nothing else',
  { timeout },
  async () => {
    await fleet.provision('before')
    assert.match(await fleet.why('before'), /assigned/)
    await fillUntilRefused()
    await assertWritesRefused(fleet)
    await fleet.plane.service.logged(/hubward\.db cannot be written: .*ENOSPC/)
  },
)

test('what need not be written is answered while the disk is full', { timeout }, async () => {
  await assertReadsAnswered(fleet, 'before')
})

test(
  'a process that is asked to stop while the disk is full ends, and the next start says why it cannot',
  { timeout },
  async () => {
    const { service } = fleet.plane
    assert.equal(await service.stop(), 0)
    const filler = openSync(join(mount, 'filler'), 'a')
    fill(filler)
    closeSync(filler)
    await assert.rejects(service.restart(), /(?:cannot be written|ENOSPC)/)
  },
)

test('with room again it goes on where it was, without a restart', { timeout }, async () => {
  const { service } = fleet.plane
  resize('32m')
  await service.restart()
  await fillUntilRefused()
  assertRefused(await fleet.register('refused'), '503001')
  resize('128m')
  await assertRecovered(fleet, 'refused')
  assert.equal(await service.stop(), 0)
  await service.restart()
  await assertAllThere(fleet, 'before')
})

function resize(size: string): void {
  execFileSync('mount', ['-o', `remount,size=${size}`, mount])
}

/** Nothing is left on the disk, nor in the files that SQLite writes again. */
async function fillUntilRefused(): Promise<void> {
  const filler = openSync(join(mount, 'filler'), 'a')
  for (let turn = 0; turn < 500; turn++) {
    fill(filler)
    const answer = await fleet.enroll(`enrolled-${fleet.enrolled.size}`)
    if (answer.status === 503) {
      closeSync(filler)
      return
    }
  }
  assert.fail('the disk was never full')
}

function fill(file: number): void {
  for (const size of [1 << 20, 4096]) {
    const block = Buffer.alloc(size)
    try {
      for (;;) writeSync(file, block)
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
    }
  }
}
