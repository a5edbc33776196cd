import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccessToken } from '../model/access.ts'
import { Refusal } from '../model/refusal.ts'
import type { Reader } from '../store/store.ts'
import { isAccessToken, newAccessToken, readAccessToken } from './access-token.ts'

const now = 1_900_000_000_000
const assignments = [{ role: 'Reader', scope: 'tenant' } as const]

/** A store that knows these tokens, and nothing else. */
function knowing(...tokens: readonly AccessToken[]): Reader {
  return { accessTokens: { get: async (id: string) => tokens.find((token) => token.id === id) } } as unknown as Reader
}

const isRefusal = (error: unknown) => error instanceof Refusal && error.reason === 'BearerTokenInvalid'

test('a token speaks for whom it was given out, and no two are alike', async () => {
  const { text, token } = newAccessToken({ description: 'CI', assignments }, now)
  assert.ok(isAccessToken(text))
  assert.deepEqual(await readAccessToken(text, knowing(token), () => now), { id: `token:${token.id}`, assignments })
  const other = newAccessToken({ description: 'CI', assignments }, now)
  assert.notEqual(other.text, text)
  assert.notEqual(other.token.id, token.id)
})

test('a token ends when it was to end, and one without an end does not', async () => {
  const ending = newAccessToken({ description: '', assignments, expires: now + 60_000 }, now)
  const endless = newAccessToken({ description: '', assignments }, now)
  const store = knowing(ending.token, endless.token)
  assert.ok(await readAccessToken(ending.text, store, () => now + 60_000))
  await assert.rejects(
    readAccessToken(ending.text, store, () => now + 60_001),
    isRefusal,
  )
  assert.ok(await readAccessToken(endless.text, store, () => now + 1e12))
})

test('a token that was revoked, was never given out or has another secret is refused', async () => {
  const { text, token } = newAccessToken({ description: '', assignments }, now)
  const other = newAccessToken({ description: '', assignments }, now).text
  const secretOfAnother = text.slice(0, -43) + other.slice(-43)
  for (const wrong of [other, secretOfAnother, `${text}x`, text.slice(0, -1), `hubward_${token.id}`, 'hubward_', ''])
    await assert.rejects(
      readAccessToken(wrong, knowing(token), () => now),
      isRefusal,
      wrong,
    )
  await assert.rejects(
    readAccessToken(text, knowing(), () => now),
    isRefusal,
  )
})

test('what is kept of a token does not give it away', () => {
  const { text, token } = newAccessToken({ description: 'CI', assignments }, now)
  assert.ok(!JSON.stringify(token).includes(text.slice(-43)))
  assert.match(token.digest, /^[0-9a-f]{64}$/)
})
