import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Refusal } from '../model/refusal.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { ordinaryRules } from './enrollment-rules.ts'
import { queryPage, type Queryable } from './page.ts'
import { asIdScope } from '../../test/fixtures/identifiers.ts'

const directory = mkdtempSync(join(tmpdir(), 'hubward-page-'))
const store = openSqliteStore(directory)
after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})
const instance = { idScope: asIdScope('0ne00000001'), store, rules: ordinaryRules }

/** So many records, made as they are asked for. */
const numbers = (count: number): Queryable<number> => ({
  name: 'numbers',
  members: { n: 'value' },
  slice: async ({ after: last, limit }) => {
    const start = last === '' ? 0 : Number(last) + 1
    return Array.from({ length: Math.max(0, Math.min(limit, count - start)) }, (_, n) => start + n)
  },
  keyOf: (n) => String(n).padStart(9, '0'),
  json: (n) => ({ n }),
})

test('a condition that hardly anything meets is looked for in bounded steps, each with its continuation', async () => {
  const query = 'SELECT * WHERE n = 24999'
  let continuation: string | undefined
  const pages: (readonly unknown[])[] = []
  do {
    const page = await queryPage(numbers(25_000), { query, limit: 10, continuation }, instance)
    pages.push(page.items)
    continuation = page.continuation
  } while (continuation !== undefined)
  assert.deepEqual(pages, [[], [], [{ n: 24999 }]])
})

test('everything is counted, up to a bound; more is refused and not guessed', async () => {
  const count = (of: number) => queryPage(numbers(of), { query: 'SELECT COUNT() AS c', limit: 10 }, instance)
  assert.deepEqual((await count(30_000)).items, [{ c: 30_000 }])
  await assert.rejects(count(200_001), Refusal)
})

test('a query makes up to a thousand groups', async () => {
  const group = (of: number) => queryPage(numbers(of), { query: 'SELECT n GROUP BY n', limit: 10 }, instance)
  assert.equal((await group(1000)).items.length, 1000)
  await assert.rejects(group(1001), Refusal)
})

/** As many records with a large member. */
const large = (count: number): Queryable<number> => ({
  ...numbers(count),
  members: { n: 'value', text: 'value' },
  json: (n) => ({ n, text: 'x'.repeat(20_000) }),
})
const often = Array.from({ length: 300 }, (_, at) => `text AS t${at}`).join()

test('a page ends when it is long, however short the records are that it repeats', async () => {
  const found: unknown[] = []
  let continuation: string | undefined
  let pages = 0
  do {
    const page = await queryPage(large(12), { query: `SELECT n, ${often}`, limit: 1000, continuation }, instance)
    assert.ok(JSON.stringify(page.items).length < 15_000_000)
    found.push(...page.items.map(({ n }) => n))
    continuation = page.continuation
    pages += 1
  } while (continuation !== undefined)
  assert.deepEqual(found, [...Array(12).keys()], 'nothing is lost or shown twice')
  assert.equal(pages, 6)
})

test('groups whose rows would be too long together are refused', async () => {
  const query = (columns: string) => ({ query: `SELECT ${columns} GROUP BY n, text`, limit: 10 })
  await assert.rejects(queryPage(large(12), query(`n, ${often}`), instance), Refusal)
  assert.equal((await queryPage(large(12), query('n, text'), instance)).items.length, 12)
})

test('a thousand rows of hundreds of columns are no more work than their cells', async () => {
  const names = Array.from({ length: 180 }, (_, at) => `m.${at.toString(36).padStart(3, 'a')}`)
  const wide: Queryable<number> = { ...numbers(1000), members: { n: 'value', m: 'any' } }
  const began = performance.now()
  const query = `SELECT n, ${names.join()} GROUP BY ${names.join()}, n`
  assert.equal((await queryPage(wide, { query, limit: 10 }, instance)).items.length, 1000)
  assert.ok(performance.now() - began < 1500, `${Math.round(performance.now() - began)} ms`)
})
