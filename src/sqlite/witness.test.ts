import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { syncsOf } from '../../test/fixtures/syncs.ts'
import { digestOf, readWitness, witnessFile, writeWitness } from './witness.ts'

const root = mkdtempSync(join(tmpdir(), 'hubward-witness-'))
after(() => rmSync(root, { recursive: true }))

test('a witness is durable before it has its name, its name before anybody relies on it, and each later one in its place', () => {
  const path = join(root, 'some.db')
  const file = witnessFile(path)
  assert.equal(readWitness(path), undefined)
  assert.deepEqual(
    syncsOf(() => writeWitness(path, { database: 'a', commits: 1 })),
    [`sync ${file}.partial`, `rename ${file}.partial ${file}`, `sync ${root}`],
  )
  assert.deepEqual(
    syncsOf(() => writeWitness(path, { database: 'a', commits: 2 })),
    [`sync ${file}`],
  )
  assert.deepEqual(readWitness(path), { database: 'a', commits: 2 })
  assert.deepEqual([statSync(file).size, statSync(file).mode & 0o777], [512, 0o600])
})

test('a witness that is shorter than the one before it leaves nothing of that', () => {
  const path = join(root, 'closed.db')
  writeFileSync(path, 'content')
  const closed = digestOf(path)!
  assert.equal(closed.bytes, 7)
  assert.match(closed.sha256, /^[0-9a-f]{64}$/)
  writeWitness(path, { database: 'a', commits: 2, closed })
  assert.deepEqual(readWitness(path), { database: 'a', commits: 2, closed })
  writeWitness(path, { database: 'a', commits: 2 })
  assert.deepEqual(readWitness(path), { database: 'a', commits: 2 })
})

test('a witness of which something was changed, or which is cut, is unreadable', () => {
  const path = join(root, 'damaged.db')
  writeWitness(path, { database: 'abc', commits: 7 })
  const whole = readFileSync(witnessFile(path), 'utf8')
  for (const damaged of ['', whole.slice(0, 20), whole.replace('7', '8'), whole.replace('\n', ''), `x${whole}`]) {
    writeFileSync(witnessFile(path), damaged)
    assert.equal(readWitness(path), 'unreadable', damaged)
  }
})
