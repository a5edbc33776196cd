import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose'
import { guardedFetch } from '../base/guarded-fetch.ts'
import type { TokenIssuer } from '../model/access.ts'
import { Refusal } from '../model/refusal.ts'
import type { Reader } from '../store/store.ts'
import { bearerAuthority } from './authority.ts'
import type { Principal } from './principal.ts'

const fetchKeys = guardedFetch({ allowed: () => true, allowedBy: '', longest: 10_000, patience: 1000 })
const second = 1000
const now = 1_800_000_000 * second
const good: JWTPayload = {
  iss: 'https://login.example',
  aud: 'hubward',
  sub: 'someone',
  exp: now / second + 3600,
  roles: ['reader', 'admin'],
  scp: 'openid dps.read',
}
const server = createServer((_, answer) => void published().then((keys) => answer.end(JSON.stringify({ keys }))))
let pair: { readonly publicKey: CryptoKey; readonly privateKey: CryptoKey }

before(async () => {
  pair = await generateKeyPair('ES256')
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
after(() => server.close())

async function published() {
  return [{ ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256' }]
}

/** Ask who the bearer of these claims is, where claims give roles by these rules. */
async function ask(claims: JWTPayload, rules: TokenIssuer['rules'] = []): Promise<Principal> {
  const { port } = server.address() as AddressInfo
  const jwksUrl = `http://127.0.0.1:${port}/keys`
  const issuer: TokenIssuer = { name: 'login', issuer: 'https://login.example', audiences: ['hubward'], jwksUrl, rules }
  const store = { tokenIssuers: { all: async () => [issuer] } } as unknown as Reader
  const token = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(pair.privateKey)
  return bearerAuthority(store, { clock: () => now, monotonic: () => 0 }, fetchKeys)(token)
}

const without = (claim: string): JWTPayload =>
  Object.fromEntries(Object.entries(good).filter(([name]) => name !== claim))

test('a token with everything that it needs is believed', async () => {
  assert.deepEqual(await ask(good), { id: 'login:someone', assignments: [] })
})

for (const claim of ['iss', 'aud', 'sub', 'exp'])
  test(`a token without ${claim} is refused, however well it is signed`, async () => {
    await assert.rejects(ask(without(claim)), isRefusal)
  })

const wrong: Readonly<Record<string, JWTPayload>> = {
  'for another audience': { aud: ['elsewhere'] },
  'of an issuer that is not trusted': { iss: 'https://evil.example' },
  'that ended more than a minute ago': { exp: now / second - 61 },
  'that begins in more than a minute': { nbf: now / second + 61 },
  'whose end is no number': { exp: 'never' as unknown as number },
}
for (const [which, claims] of Object.entries(wrong))
  test(`a token ${which} is refused`, async () => {
    await assert.rejects(ask({ ...good, ...claims }), isRefusal)
  })

test("an issuer's clock may differ by almost a minute", async () => {
  await ask({ ...good, exp: now / second - 59 })
  await ask({ ...good, nbf: now / second + 59 })
})

test('a role is given for a value among the claim’s, and for a word of a scope, and for nothing that merely contains it', async () => {
  const given = async (claim: string, value: string) => {
    const { assignments } = await ask(good, [{ claim, value, role: 'Reader', scope: 'tenant' }])
    return assignments.length === 1
  }
  assert.equal(await given('roles', 'admin'), true)
  assert.equal(await given('roles', 'adm'), false)
  assert.equal(await given('scp', 'dps.read'), true)
  assert.equal(await given('scp', 'openid dps.read'), false)
  assert.equal(await given('sub', 'someone'), true)
  assert.equal(await given('sub', 'some'), false)
  assert.equal(await given('constructor', 'Object'), false)
  assert.equal(await given('groups', 'undefined'), false)
})

function isRefusal(error: unknown): boolean {
  return error instanceof Refusal && error.reason === 'BearerTokenInvalid'
}
