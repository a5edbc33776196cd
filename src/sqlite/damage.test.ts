import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { Database } from './database.ts'
import { DatabaseDamaged } from './inspect.ts'

const migrations = ['create table note (id integer primary key, body text)']
const notes = 200
const folder = mkdtempSync(join(tmpdir(), 'hubward-damage-'))
/** As a process leaves it that is killed, and as one that was stopped. */
const [killed, stopped, older] = ['killed', 'stopped', 'older'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
]

before(async () => {
  const path = join(folder, 'live', 'x.db')
  cpSync(mkdtempSync(join(folder, 'empty-')), join(folder, 'live'), { recursive: true })
  const database = Database.open(path, migrations)
  for (let id = 0; id < notes / 2; id++) await insert(database, id)
  cpSync(join(folder, 'live'), older, { recursive: true })
  for (let id = notes / 2; id < notes; id++) await insert(database, id)
  cpSync(join(folder, 'live'), killed, { recursive: true })
  await database[Symbol.asyncDispose]()
  cpSync(join(folder, 'live'), stopped, { recursive: true })
})

after(() => rmSync(folder, { recursive: true }))

test('what a killed process leaves opens without a word, and so does a WAL whose tail is torn', async () => {
  assert.deepEqual(await opened(copyOf(killed)), { notes, told: [] })
  const torn = copyOf(killed)
  const frame = 24 + 8192
  appendFileSync(`${torn}-wal`, readFileSync(`${torn}-wal`).subarray(32, 32 + frame + 5000))
  assert.deepEqual(await opened(torn), { notes, told: [] })
})

test('a database whose making was interrupted is made, by undoing what was begun', async () => {
  const path = join(mkdtempSync(join(folder, 'making-')), 'x.db')
  const database = new DatabaseSync(path)
  database.exec('pragma cache_size = 1; create table begun (text)')
  database.exec("begin; insert into begun select hex(randomblob(900)) from json_each('[1,2,3,4,5,6,7,8,9]')")
  database.exec('insert into begun select text from begun; insert into begun select text from begun')
  const copy = join(mkdtempSync(join(folder, 'made-')), 'x.db')
  for (const end of ['', '-journal']) cpSync(`${path}${end}`, `${copy}${end}`)
  database.close()
  assert.ok(length(`${copy}-journal`) > 512, 'it was interrupted in the middle')
  assert.deepEqual(await opened(copy), { notes: 0, told: [] })
})

test('what was closed in good order opens without a word', async () => {
  assert.deepEqual(await opened(copyOf(stopped)), { notes, told: [] })
})

const length = (path: string) => statSync(path).size
const lost: Readonly<Record<string, readonly [from: string, damage: (path: string) => void, says: RegExp]>> = {
  'the WAL was cut in the middle': [
    killed,
    (path) => truncateSync(`${path}-wal`, length(`${path}-wal`) / 2),
    /lacks the last \d+ of 200 commits.*-wal/,
  ],
  'the WAL was cut by one commit': [
    killed,
    (path) => truncateSync(`${path}-wal`, length(`${path}-wal`) - 100),
    /lacks the last 1 of 200/,
  ],
  'the WAL was deleted': [killed, (path) => rmSync(`${path}-wal`), /lacks the last \d+ of 200 commits/],
  'the WAL is empty': [killed, (path) => truncateSync(`${path}-wal`), /lacks the last \d+ of 200 commits/],
  'a byte of the WAL was changed': [killed, (path) => flip(`${path}-wal`, 0.5), /lacks the last \d+ of 200 commits/],
  'the head of the WAL was changed': [killed, (path) => flipAt(`${path}-wal`, 20), /lacks the last \d+ of 200 commits/],
  'the files are an older copy': [
    killed,
    (path) => ['', '-wal'].forEach((end) => cpSync(join(older, `x.db${end}`), `${path}${end}`)),
    /lacks the last 100 of 200 commits/,
  ],
  'the closed file is an older copy': [
    stopped,
    (path) => (cpSync(join(older, 'x.db'), path), cpSync(join(older, 'x.db-wal'), `${path}-wal`)),
    /lacks the last 100 of 200 commits/,
  ],
  'the file is gone': [stopped, (path) => rmSync(path), /is missing, though .*-commits tells of 200 commits/],
  'the file is empty': [stopped, (path) => truncateSync(path), /is empty, though/],
  'file and witness are gone, the WAL is not': [
    killed,
    (path) => (rmSync(path), rmSync(`${path}-commits`)),
    /is missing, though its WAL/,
  ],
  'it is another database': [stopped, (path) => otherDatabase(path), /is another database than the one/],
}

for (const [when, [from, damage, says]] of Object.entries(lost)) {
  test(`acknowledged writes that are missing are said, and nothing is changed: ${when}`, async () => {
    const path = copyOf(from)
    damage(path)
    const before = contents(path)
    assert.throws(
      () => Database.open(path, migrations),
      (error) => error instanceof DatabaseDamaged && error.usable && says.test(error.message),
    )
    assert.deepEqual(contents(path), before)
    const { told } = await opened(path, true)
    assert.match(told.join(), says)
    assert.deepEqual((await opened(path)).told, [], 'what was accepted is not said again')
  })
}

test('pages that were changed are said', async () => {
  for (const [from, at] of [
    [killed, 'header'],
    [stopped, 'header'],
    [stopped, 'page'],
  ] as const) {
    const path = copyOf(from)
    if (from === killed) rmSync(`${path}-wal`)
    writeFileSync(path, Buffer.alloc(at === 'header' ? 100 : 4000, 0x5a), { flag: 'r+' })
    assert.throws(() => Database.open(path, migrations), DatabaseDamaged, `${from} ${at}`)
  }
})

test('a page that is broken is said after a kill, and after a stop even where only a text was changed', async () => {
  const path = copyOf(killed)
  await opened(path)
  rmSync(`${path}-commits`) // as if it had not been closed
  breakPage(path)
  assert.throws(() => Database.open(path, migrations), /is damaged/)

  const changed = copyOf(stopped)
  const bytes = readFileSync(changed)
  bytes.write('NOTE', bytes.lastIndexOf('note 7 '))
  writeFileSync(changed, bytes)
  assert.match((await opened(changed)).told.join(), /was changed while the service was stopped/)
})

test('without its witness, what cannot be told is said', async () => {
  const path = copyOf(killed)
  rmSync(`${path}-commits`)
  assert.match((await opened(path)).told.join(), /-commits is missing: whether .* lacks writes/)
  flip(`${path}-commits`, 0.1)
  assert.match((await opened(path)).told.join(), /-commits is damaged/)
})

function insert(database: Database, id: number): Promise<void> {
  return database.write([{ sql: 'insert into note values (?, ?)', parameters: [id, `note ${id} `.repeat(100)] }])
}

let copies = 0
function copyOf(from: string): string {
  const to = join(folder, `copy-${copies++}`)
  cpSync(from, to, { recursive: true })
  rmSync(join(to, 'x.db-shm'), { force: true })
  return join(to, 'x.db')
}

async function opened(path: string, acceptLoss = false): Promise<{ notes: number; told: string[] }> {
  const told: string[] = []
  await using database = Database.open(path, migrations, { acceptLoss, tell: ({ text }) => told.push(text) })
  return { notes: Number(database.get('select count(*) as count from note')?.['count']), told }
}

function contents(path: string): unknown {
  return ['', '-wal', '-commits'].map((end) => {
    const found = statSync(`${path}${end}`, { throwIfNoEntry: false })
    // A reader makes an empty WAL where there is none.
    if (!found || found.size === 0) return 0
    return createHash('sha256')
      .update(readFileSync(`${path}${end}`))
      .digest('hex')
  })
}

function flip(file: string, where: number): void {
  flipAt(file, Math.floor(length(file) * where))
}

function flipAt(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at]! ^= 0xff
  writeFileSync(file, bytes)
}

/** Any page of the table: what a page says of itself begins it. */
function breakPage(file: string): void {
  const bytes = readFileSync(file)
  bytes.fill(0x5a, 5 * 8192, 5 * 8192 + 64)
  writeFileSync(file, bytes)
}

function otherDatabase(path: string): void {
  const bytes = readFileSync(`${path}-commits`, 'utf8')
  const { database } = JSON.parse(bytes.split('\n')[0]!) as { database: string }
  const file = readFileSync(path)
  file.write('0'.repeat(32), file.indexOf(database))
  writeFileSync(path, file)
}
