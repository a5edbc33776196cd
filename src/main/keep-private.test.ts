import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { keepPrivate } from './keep-private.ts'

const root = mkdtempSync(join(tmpdir(), 'hubward-private-'))
const secret = [
  'hubward.db',
  'hubward.db-wal',
  'hubward.db-commits',
  'hub.db',
  'ca-key.pem',
  'server-key.pem',
  'audit.log.1',
  'connection.env',
]

after(() => rmSync(root, { recursive: true }))

test('an older data folder and the secrets in it are taken from everybody but their owner', () => {
  const folder = openFolder(secret)
  writeFileSync(join(folder, 'ca.pem'), '', { mode: 0o644 })
  assert.deepEqual(keepPrivate(folder), [])
  assert.equal(modeOf(folder), 0o700)
  assert.deepEqual(
    secret.map((name) => modeOf(join(folder, name))),
    secret.map(() => 0o600),
  )
  assert.equal(modeOf(join(folder, 'ca.pem')), 0o644, 'what devices are given is no secret')
})

test('a folder that is used for other things too, or by everybody, keeps its mode, and that is said', () => {
  const shared = openFolder(['in-use.db', 'letters.txt'])
  assert.match(
    keepPrivate(shared).join(),
    /is open to group \d+ and everybody \(mode 0755, owner \d+\), and is used for other things/,
  )
  assert.deepEqual([shared, join(shared, 'letters.txt'), join(shared, 'in-use.db')].map(modeOf), [0o755, 0o644, 0o600])
  const everybodys = openFolder(secret)
  chmodSync(everybodys, 0o1777)
  assert.match(keepPrivate(everybodys).join(), /is open to group/)
  assert.equal(modeOf(everybodys), 0o777)
})

test('what the process may not change is said, with who can read it', () => {
  assert.equal(process.geteuid?.(), 0, 'this test becomes another user for a moment, which only root can')
  chmodSync(root, 0o755)
  const folder = openFolder(['hubward.db', 'ca-key.pem'])
  process.seteuid?.(65_534)
  try {
    const said = keepPrivate(folder)
    assert.equal(said.length, 3)
    assert.match(
      said.join('\n'),
      /ca-key\.pem is open to group 0 and everybody \(mode 0644, owner 0\), and this process may not change that \(EPERM\): let its owner do "chmod 600"/,
    )
  } finally {
    process.seteuid?.(0)
  }
})

let folders = 0
function openFolder(names: readonly string[]): string {
  const folder = join(root, `data-${folders++}`)
  mkdirSync(folder)
  chmodSync(folder, 0o755)
  for (const name of names) writeFileSync(join(folder, name), '', { mode: 0o644 })
  return folder
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777
}
