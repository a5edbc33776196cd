import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { JsonObject } from '../base/json.ts'
import { members } from '../model/members.ts'
import { Refusal, type RefusalReason } from '../model/refusal.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { readAccessToken } from './access-token.ts'
import { issueToken, renewAdministratorToken, revokeToken } from './access-tokens.ts'
import { deleteIssuer, putIssuer } from './token-issuers.ts'

const folder = mkdtempSync(join(tmpdir(), 'hubward-access-'))
const store = openSqliteStore(folder)
after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})
let now = Date.UTC(2031, 2, 4)
const clock = () => now
const issue = (body: JsonObject) => issueToken(members(body), store, clock)
const refused = (reason: RefusalReason) => (error: unknown) => error instanceof Refusal && error.reason === reason
const assignments = [{ role: 'reader', scope: 'plant' }]

test('a token speaks for its roles until it expires, and its text is kept nowhere', async () => {
  const { text, token } = await issue({ assignments, expiresInDays: 1 })
  assert.deepEqual((await readAccessToken(text, store, clock)).assignments, [{ role: 'Reader', scope: 'plant' }])
  assert.ok(!JSON.stringify(await store.accessTokens.get(token.id)).includes(text.slice(-43)))
  now += 24 * 60 * 60 * 1000 + 1
  await assert.rejects(readAccessToken(text, store, clock), refused('BearerTokenInvalid'))
})

test('what is no token is refused by the member that is wrong', async () => {
  for (const body of [
    {},
    { assignments: [] },
    { assignments: [1] },
    { assignments: [{ role: 'King' }] },
    { assignments: [{ role: 'Owner', scope: '../x' }] },
    { assignments, expiresInDays: 0 },
    { assignments, expiresInDays: 4000 },
    { assignments, expiresInDays: '3' },
  ]) {
    await assert.rejects(issue(body), refused('MemberInvalid'), JSON.stringify(body))
  }
})

test('a revoked token speaks for nobody, and nobody revokes the one they speak with', async () => {
  const { text, token } = await issue({ assignments })
  const caller = await readAccessToken(text, store, clock)
  await assert.rejects(revokeToken(token.id, caller, store), refused('TokenInUse'))
  await revokeToken(token.id, undefined, store)
  await assert.rejects(readAccessToken(text, store, clock), refused('BearerTokenInvalid'))
  await assert.rejects(revokeToken(token.id, undefined, store), refused('ResourceAbsent'))
})

test("the administrator's token replaces the one before, and no other", async () => {
  const [first, other] = [await renewAdministratorToken(store, clock), await issue({ assignments })]
  const second = await renewAdministratorToken(store, clock)
  await assert.rejects(readAccessToken(first.text, store, clock), refused('BearerTokenInvalid'))
  await readAccessToken(second.text, store, clock)
  await readAccessToken(other.text, store, clock)
})

test('an issuer is trusted under one name, in place of what had the name, and can be forgotten', async () => {
  const body = (issuer: string, jwksUrl = 'https://id.example/keys') =>
    members({ issuer, jwksUrl, rules: [{ claim: 'groups', value: 'ops', role: 'Owner' }] })
  assert.equal((await putIssuer('corp', body('https://id.example'), store)).rules[0]?.scope, '*')
  await assert.rejects(putIssuer('other', body('https://id.example'), store), refused('ResourceChanged'))
  await putIssuer('CORP', body('https://new.example'), store)
  assert.deepEqual(
    (await store.tokenIssuers.all()).map(({ issuer }) => issuer),
    ['https://new.example'],
  )
  for (const url of ['http://id.example/keys', 'https://u:p@id.example/', 'file:///etc/passwd', 'keys']) {
    await assert.rejects(putIssuer('wrong', body('https://x.example', url), store), refused('MemberInvalid'), url)
  }
  await deleteIssuer('Corp', store)
  assert.deepEqual(await store.tokenIssuers.all(), [])
  await assert.rejects(deleteIssuer('corp', store), refused('ResourceAbsent'))
})
