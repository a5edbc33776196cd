import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, list, open } from '../../../test/fixtures/bundled-hub.ts'
import type { BundledHub } from '../bundled-hub.ts'

test('every construct of the grammar selects what it says', async () => {
  await using hub = await fleet()
  for (const [where, expected] of [
    ['', 'a b c d'],
    ["WHERE deviceId = 'b'", 'b'],
    ["where devices.deviceId <> 'b'", 'a c d'],
    ['WHERE tags.line = 4', 'a b'],
    ['WHERE tags.line >= 4 AND tags.line < 5', 'a b'],
    ["WHERE tags.site.['zone-1'] = true OR tags['line'] = 9", 'a c'],
    ["WHERE deviceId IN ['a', 'c', 'x']", 'a c'],
    ["WHERE deviceId NOT IN ['a', 'c']", 'b d'],
    ['WHERE is_defined(tags.line)', 'a b c'],
    ['WHERE NOT IS_DEFINED(tags.line)', 'd'],
    ["WHERE STARTSWITH(properties.desired.mode, 'ec')", 'a'],
    ["WHERE endswith(properties.desired.mode, 'co')", 'a'],
    ["WHERE status = 'disabled'", 'd'],
    ['WHERE capabilities.iotEdge = true', 'c'],
    ["WHERE connectionState = 'Disconnected' AND (tags.line = 9 OR tags.line = 4) AND NOT deviceId = 'a'", 'b c'],
    ["WHERE tags.name = 'it''s'", 'b'],
    ['WHERE tags.line > "3"', ''],
  ] as const) {
    const answer = await query(hub, `SELECT * FROM devices ${where}`)
    assert.equal(answer.status, 200, where)
    assert.equal(names(answer), expected, where)
  }
})

test('modules are selected by their own collection', async () => {
  await using hub = await fleet()
  const answer = await query(hub, "SELECT * FROM devices.modules WHERE moduleId = '$edgeHub'")
  assert.deepEqual(
    list(answer).map(({ deviceId, moduleId }) => `${String(deviceId)}/${String(moduleId)}`),
    ['c/$edgeHub'],
  )
})

test('pages follow each other by their continuation, and the last has none', async () => {
  await using hub = await fleet()
  const seen: string[] = []
  let continuation: string | undefined
  do {
    const headers = { 'x-ms-max-item-count': '2', ...(continuation ? { 'x-ms-continuation': continuation } : {}) }
    const answer = await query(hub, 'select * from devices', headers)
    assert.equal(answer.headers?.['x-ms-item-type'], 'Twin')
    continuation = answer.headers?.['x-ms-continuation']
    seen.push(names(answer))
  } while (continuation !== undefined)
  assert.deepEqual(seen, ['a b', 'c d'])
})

test('a query that is not understood is refused', async () => {
  await using hub = await open()
  for (const text of [
    '',
    'SELECT deviceId FROM devices',
    'SELECT * FROM enrollments',
    'SELECT * FROM devices WHERE',
    'SELECT * FROM devices WHERE deviceId',
    'SELECT * FROM devices WHERE deviceId = ',
    "SELECT * FROM devices WHERE deviceId = 'a",
    "SELECT * FROM devices WHERE deviceId LIKE 'a'",
    "SELECT * FROM devices WHERE contains(deviceId, 'a')",
    'SELECT * FROM devices GROUP BY status',
    `SELECT * FROM devices WHERE ${'('.repeat(60)}a = 1${')'.repeat(60)}`,
  ]) {
    assert.equal((await query(hub, text)).status, 400, text)
  }
})

test('a page size or continuation that makes no sense is refused', async () => {
  await using hub = await open()
  const status = async (headers: Record<string, string>) => (await query(hub, 'SELECT * FROM devices', headers)).status
  assert.equal(await status({ 'x-ms-max-item-count': '0' }), 400)
  assert.equal(await status({ 'x-ms-max-item-count': 'many' }), 400)
  assert.equal(await status({ 'x-ms-continuation': 'nonsense' }), 400)
})

async function fleet(): Promise<BundledHub> {
  const hub = await open()
  const answer = await ask(hub, 'POST', '/devices', [
    { id: 'a', tags: { line: 4, site: { 'zone-1': true } }, properties: { desired: { mode: 'eco' } } },
    { id: 'b', tags: { line: 4, name: "it's" } },
    { id: 'c', tags: { line: 9 }, capabilities: { iotEdge: true } },
    { id: 'd', status: 'disabled' },
  ])
  assert.equal(answer.status, 200)
  return hub
}

function query(hub: BundledHub, text: string, headers = {}): ReturnType<typeof ask> {
  return ask(hub, 'POST', '/devices/query', { query: text }, { headers })
}

function names(answer: Awaited<ReturnType<typeof ask>>): string {
  return list(answer)
    .map(({ deviceId }) => deviceId)
    .join(' ')
}
