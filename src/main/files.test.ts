import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { syncsOf } from '../../test/fixtures/syncs.ts'
import { ConfigurationError } from './configuration.ts'
import { makeFolder, partial, readText, writeDurably } from './files.ts'

const root = mkdtempSync(join(tmpdir(), 'hubward-files-'))
after(() => rmSync(root, { recursive: true }))

test('a folder is made with those above it, and each of them is synced into the one that holds it', () => {
  const [one, two, three] = ['one', 'one/two', 'one/two/three'].map((path) => join(root, path)) as [
    string,
    string,
    string,
  ]
  const synced = syncsOf(() => makeFolder(three))
  assert.deepEqual(new Set(synced), new Set([`sync ${root}`, `sync ${one}`, `sync ${two}`]))
  assert.ok(statSync(three).isDirectory())
  assert.deepEqual(
    syncsOf(() => makeFolder(three)),
    [],
    'one that is there was made durable by whoever made it',
  )
})

test('files that belong together are synced, then take their names in their order, and then their folder is synced', () => {
  const [key, certificate] = [join(root, 'key.pem'), join(root, 'certificate.pem')]
  writeFileSync(partial(key), 'of an interrupted start', { mode: 0o644 })
  const synced = syncsOf(() =>
    writeDurably([
      { path: key, text: 'secret', mode: 0o600 },
      { path: certificate, text: 'public', mode: 0o644 },
    ]),
  )
  assert.deepEqual(synced, [
    `sync ${partial(key)}`,
    `sync ${partial(certificate)}`,
    `rename ${partial(key)} ${key}`,
    `rename ${partial(certificate)} ${certificate}`,
    `sync ${root}`,
  ])
  assert.deepEqual([readFileSync(key, 'utf8'), statSync(key).mode & 0o777], ['secret', 0o600])
})

test('a file that an operator named is read, or it is said what is wrong with it', () => {
  const path = join(root, 'named')
  const refused = (says: string) =>
    assert.throws(
      () => readText(path, 'the list of hubs'),
      (error) => error instanceof ConfigurationError && error.message.includes(says),
    )
  refused(`${path}, the list of hubs, cannot be read: ENOENT`)
  writeFileSync(path, ' \n')
  refused(`${path}, the list of hubs, is empty`)
  writeFileSync(path, ' text\n')
  assert.equal(readText(path, 'the list of hubs'), ' text\n')
})
