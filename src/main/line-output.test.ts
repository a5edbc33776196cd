import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { outputTo } from './line-output.ts'

let mount: string

// A file system that becomes full takes root to mount.
before(() => {
  mount = mkdtempSync(join(tmpdir(), 'hubward-output-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', mount])
})

after(() => {
  execFileSync('umount', ['-l', mount])
  rmSync(mount, { recursive: true })
})

test('every line arrives once and in order, those too that were still to be written at the end', async () => {
  const file = join(mount, 'log')
  const descriptor = openSync(file, 'w')
  const output = outputTo(descriptor)
  const lines = Array.from({ length: 1000 }, (_, number) => `line ${number}\n`)
  for (const [number, line] of lines.entries()) {
    output.write(line)
    if (number === 500) while (readFileSync(file).length === 0) await wait(1)
  }
  await wait(50)
  output.write('the last\n')
  output.write('the very last\n')
  output.flushSync()
  while (!readFileSync(file, 'utf8').includes('the last\n')) await wait(1)
  const written = readFileSync(file, 'utf8')
  assert.ok(written.startsWith(lines.join('')))
  assert.equal(written.length, [...lines, 'the last\n', 'the very last\n'].join('').length)
  closeSync(descriptor)
  rmSync(file)
})

test('a full disk stops nobody who has something to say, and lines are there when there is room', async () => {
  const filler = openSync(join(mount, 'filler'), 'w')
  assert.throws(() => {
    for (;;) writeSync(filler, Buffer.alloc(4096))
  }, /ENOSPC/)
  const descriptor = openSync(join(mount, 'log'), 'w')
  const output = outputTo(descriptor)
  output.write('before\n')
  await wait(100)
  output.write('after\n')
  output.flushSync()
  assert.equal(readFileSync(join(mount, 'log'), 'utf8'), '')
  execFileSync('mount', ['-o', 'remount,size=1m', mount])
  for (let turn = 0; readFileSync(join(mount, 'log'), 'utf8') !== 'before\nafter\n'; turn++) {
    assert.ok(turn < 100, readFileSync(join(mount, 'log'), 'utf8'))
    await wait(100)
  }
  closeSync(descriptor)
})
