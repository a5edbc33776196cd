import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openAuditFile } from './audit-file.ts'
import { machineClocks } from './clocks.ts'

function inFolder(prove: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'hubward-audit-'))
  try {
    prove(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const linesOf = (folder: string, file: string) =>
  readFileSync(join(folder, file), 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { count: number }).count)

test('every line is in a file of its turn, the newest files are kept, and a restart goes on where it was', () =>
  inFolder((folder) => {
    const retention = { bytes: 40, files: 2, age: 60_000 }
    const first = openAuditFile(folder, retention, machineClocks)
    for (let count = 10; count < 17; count++) first.write({ count })
    openAuditFile(folder, retention, machineClocks).write({ count: 17 })
    assert.deepEqual(readdirSync(folder).toSorted(), ['audit.log', 'audit.log.1', 'audit.log.2'])
    assert.deepEqual(
      ['audit.log.2', 'audit.log.1', 'audit.log'].map((file) => linesOf(folder, file)),
      [
        [10, 11, 12],
        [13, 14, 15],
        [16, 17],
      ],
    )
    assert.equal(statSync(join(folder, 'audit.log')).mode & 0o777, 0o600)
  }))

test('files older than they are to be kept go', () =>
  inFolder((folder) => {
    const retention = { bytes: 10, files: 5, age: 60_000 }
    const audit = openAuditFile(folder, retention, machineClocks)
    for (let count = 0; count < 3; count++) audit.write({ count })
    const longAgo = new Date(Date.now() - 120_000)
    utimesSync(join(folder, 'audit.log.2'), longAgo, longAgo)
    openAuditFile(folder, retention, machineClocks)
    assert.deepEqual(readdirSync(folder).toSorted(), ['audit.log', 'audit.log.1'])
  }))

test('a disk that fills up within a line has none of it, and takes it whole when there is room', () =>
  inFolder((folder) => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', folder])
    try {
      const audit = openAuditFile(folder, { bytes: 1e6, files: 1, age: 60_000 }, machineClocks)
      audit.write({ count: 1 })
      const long = { count: 2, text: 'x'.repeat(20_000) }
      assert.throws(() => audit.write(long), /ENOSPC/)
      assert.deepEqual(linesOf(folder, 'audit.log'), [1])
      execFileSync('mount', ['-o', 'remount,size=64k', folder])
      audit.write(long)
      assert.deepEqual(linesOf(folder, 'audit.log'), [1, 2])
    } finally {
      execFileSync('umount', [folder])
    }
  }))

test('what could steer the terminal of whoever reads the file is an escape in it, and is read back as it was', () =>
  inFolder((folder) => {
    const resource = 'x\n\u001b[2J\u007f\u0085\u2028\u202e\ud800'
    openAuditFile(folder, { bytes: 1e6, files: 1, age: 60_000 }, machineClocks).write({ resource })
    const text = readFileSync(join(folder, 'audit.log'), 'utf8')
    assert.match(text, /^[ -~]+\n$/)
    assert.deepEqual(JSON.parse(text), { resource })
  }))
