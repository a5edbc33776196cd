import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  assertAllThere,
  assertReadsAnswered,
  assertRecovered,
  assertRefused,
  assertWritesRefused,
  openFleet,
  type Fleet,
} from './disk-faults/fleet.ts'

const timeout = 120_000
let root: string
let fleet: Fleet

before(async () => {
  root = mkdtempSync(join(tmpdir(), 'hubward-disk-faults-'))
  const library = join(root, 'faults.so')
  const source = join(import.meta.dirname, 'disk-faults', 'faults.c')
  execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, source])
  const folders = join(root, 'data')
  mkdirSync(folders)
  const environment = { LD_PRELOAD: library, FAULTY_FOLDER: folders, DISK_FAULT: order(), TMPDIR: folders }
  // For every start of the service; other processes keep out of the folder.
  Object.assign(process.env, environment)
  fleet = await openFleet('127.61.4')
})
after(async () => {
  await fleet?.[Symbol.asyncDispose]()
  rmSync(root, { recursive: true, force: true })
})

interface Fault {
  readonly what: string
  readonly told: RegExp
  /** Lasts until what it gives is called. */
  readonly begin: () => Promise<() => Promise<unknown>>
  /** What a start says meanwhile. */
  readonly noStart: RegExp
}

const faults: readonly Fault[] = [
  {
    what: 'a disk that fails every write',
    told: /hubward\.db cannot be written: .*EIO/,
    begin: () => ordered('EIO'),
    noStart: /EIO|I\/O error/,
  },
  {
    what: 'a file system that the kernel has made read-only',
    told: /hubward\.db cannot be written: .*EROFS/,
    begin: () => ordered('EROFS'),
    noStart: /EROFS|read-?only/,
  },
  {
    what: 'another process that holds the lock of the databases',
    told: /hubward\.db cannot be written: .*locked/,
    begin: lockEverything,
    noStart: /locked/,
  },
]

for (const { what, told, begin, noStart } of faults) {
  describe(what, () => {
    let end: () => Promise<unknown>

    test(
      'what must be written is refused in words that every client knows, and is told once',
      { timeout },
      async () => {
        await fleet.provision('before')
        assert.equal((await fleet.enroll(`before-${fleet.enrolled.size}`)).status, 200)
        end = await begin()
        await assertWritesRefused(fleet)
        await fleet.plane.service.logged(told)
      },
    )

    test('what need not be written is answered', { timeout }, () => assertReadsAnswered(fleet, 'before'))

    test('it goes on by itself when that is over', { timeout }, async () => {
      assertRefused(await fleet.register('refused'), '503001')
      await end()
      await assertRecovered(fleet, 'refused')
    })

    test(
      'a process that is asked to stop meanwhile ends, a start says why it cannot, and nothing is lost',
      { timeout },
      async () => {
        const { service } = fleet.plane
        const over = await begin()
        assertRefused(await fleet.enroll('never'), '503001')
        assert.equal(await service.stop(), 0)
        await assert.rejects(service.restart(), noStart)
        await over()
        await service.restart()
        await assertAllThere(fleet, 'before')
      },
    )
  })
}

function order(): string {
  return join(root, 'fault')
}

async function ordered(errno: string): Promise<() => Promise<void>> {
  writeFileSync(order(), errno)
  return async () => rmSync(order())
}

/** Another process takes the write lock of every database in the data folder, as a backup or an operator's shell may. */
async function lockEverything(): Promise<() => Promise<unknown>> {
  const folder = fleet.plane.service.dataFolder
  const files = readdirSync(folder).filter((name) => name.endsWith('.db') && name !== 'in-use.db')
  const program = `
    const { DatabaseSync } = require('node:sqlite')
    const locked = process.argv.slice(1).map((path) => new DatabaseSync(path))
    for (const database of locked) database.exec('pragma busy_timeout = 5000; begin immediate')
    process.stdout.write('locked')
    process.stdin.on('end', () => process.exit()).resume()`
  const child = spawn(process.execPath, ['-e', program, ...files.map((name) => join(folder, name))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit')
  await Promise.race([once(child.stdout, 'data'), gone])
  return () => {
    child.stdin.end()
    return gone
  }
}
