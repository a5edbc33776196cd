import assert from 'node:assert/strict'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose'
import { readConfiguration } from '../../src/main/configuration.ts'
import { keyFetcher } from '../../src/main/fetch-keys.ts'
import { administratorToken } from '../../src/main/management-wing.ts'
import { Refusal } from '../../src/model/refusal.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import { bearerAuthority } from '../../src/access/authority.ts'
import { openControlPlane, type ControlPlane, type Tenant } from './control-plane.ts'

let plane: ControlPlane
let tenant: Tenant
let server: Server
let jwksUrl: string
let keys: { readonly publicKey: CryptoKey; readonly privateKey: CryptoKey }
const audience = 'https://azure-devices-provisioning.net'
const issuer = 'https://login.example/v2.0'

before(async () => {
  plane = await openControlPlane('127.80.4')
  tenant = await plane.createInstance('tenant')
  keys = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'ES256' }
  server = createServer((request, answer) => {
    if (request.url === '/keys') answer.end(JSON.stringify({ keys: [jwk] }))
    else if (request.url === '/keys/endless') pour(answer)
    else if (request.url === '/keys/moved') answer.writeHead(302, { location: '/keys' }).end()
    else if (request.url === '/keys/deep') answer.end('['.repeat(20_000) + ']'.repeat(20_000))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.80.4.9', resolve))
  jwksUrl = `http://127.80.4.9:${(server.address() as AddressInfo).port}/keys`
  const body = {
    issuer,
    jwksUrl,
    rules: [
      { claim: 'groups', value: 'operators', role: 'DataContributor', scope: 'tenant' },
      { claim: 'roles', value: 'admin', role: 'Owner' },
      { claim: 'scp', value: 'dps.read', role: 'DataReader', scope: 'tenant' },
    ],
  }
  await plane.call('PUT', '/admin/v1/issuers/corporate', { body })
})
after(async () => {
  server.closeAllConnections()
  server.close()
  await plane[Symbol.asyncDispose]()
})

function pour(answer: ServerResponse): void {
  const more = (): boolean => !answer.destroyed && answer.write(Buffer.alloc(1 << 16))
  answer.on('drain', more)
  more()
}

interface Wanted {
  readonly key?: CryptoKey
  readonly expires?: string
  readonly audience?: string
  readonly issuer?: string
  readonly kid?: string
}

function token(claims: JWTPayload, wanted: Wanted = {}): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', kid: wanted.kid ?? 'one' })
    .setSubject('someone')
    .setIssuer(wanted.issuer ?? issuer)
    .setAudience(wanted.audience ?? audience)
    .setIssuedAt()
    .setExpirationTime(wanted.expires ?? '1h')
    .sign(wanted.key ?? keys.privateKey)
}

const read = (bearer: string, expect: number) =>
  plane.operate(tenant, 'GET', '/enrollments/none', { authorization: `Bearer ${bearer}`, expect })

test("an issuer's token allows what the rules give its claims", async () => {
  await read(await token({ groups: ['staff', 'operators'] }), 404)
  await read(await token({ scp: 'other dps.read' }), 404)
  await read(await token({ groups: ['staff'] }), 401)
  const admin = await token({ roles: ['admin'] })
  await read(admin, 404)
  const who = (await plane.call('GET', '/admin/v1/whoami', { token: admin })).json()
  assert.equal(who['id'], 'corporate:someone')
  await plane.call('GET', '/admin/v1/tokens', { token: admin })
  const reader = await token({ scp: 'dps.read' })
  await plane.call('GET', plane.path('tenant'), { token: reader, expect: 403 })
  const body = { query: 'SELECT * FROM enrollments' }
  const asReader = { authorization: `Bearer ${reader}` }
  await plane.operate(tenant, 'POST', '/enrollments/query', { ...asReader, body })
  await plane.operate(tenant, 'DELETE', '/enrollments/none', { ...asReader, expect: 401 })
})

test('a token of another key, audience, issuer or time is refused', async () => {
  const claims = { roles: ['admin'] }
  const stranger = await generateKeyPair('ES256')
  await read(await token(claims, { key: stranger.privateKey }), 401)
  await read(await token(claims, { audience: 'https://elsewhere.example' }), 401)
  await read(await token(claims, { issuer: 'https://evil.example' }), 401)
  await read(await token(claims, { expires: '-5m' }), 401)
  await read(await token(claims, { kid: 'unknown' }), 401)
  const [head, body] = (await token(claims)).split('.')
  await read(`${head}.${body}.`, 401)
  const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
  await read(`${none}.${body}.`, 401)
  const signedByPublicKey = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', kid: 'one' })
    .setSubject('x')
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime('1h')
    .sign(Buffer.from(JSON.stringify(await exportJWK(keys.publicKey))))
  await read(signedByPublicKey, 401)
})

test('a token that never expires, or says not whose it is, is refused', async () => {
  const signed = (claims: JWTPayload) =>
    new SignJWT({ roles: ['admin'], iss: issuer, aud: audience, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .sign(keys.privateKey)
  const exp = Math.floor(Date.now() / 1000) + 3600
  await read(await signed({ sub: 'someone', exp }), 404)
  await read(await signed({ sub: 'someone' }), 401)
  await read(await signed({ exp }), 401)
})

test('an issuer that is no longer trusted speaks for nobody', async () => {
  const body = { issuer: 'https://short.example', jwksUrl, rules: [{ claim: 'sub', value: 'someone', role: 'Owner' }] }
  await plane.call('PUT', '/admin/v1/issuers/short', { body })
  const bearer = await token({}, { issuer: 'https://short.example' })
  await read(bearer, 404)
  await plane.call('DELETE', '/admin/v1/issuers/short')
  await read(bearer, 401)
})

test('an issuer whose keys cannot be had speaks for nobody, and that is no fault', async () => {
  const body = {
    issuer: 'https://silent.example',
    jwksUrl: 'http://127.80.4.9:1/keys',
    rules: [{ claim: 'sub', value: 'someone', role: 'Owner' }],
  }
  await plane.call('PUT', '/admin/v1/issuers/silent', { body })
  await read(await token({}, { issuer: 'https://silent.example' }), 401)
})

/** Where an issuer's keys should be, and what the log says of it. */
const hostile: readonly [what: string, at: () => string, said: RegExp][] = [
  ['at the metadata service of a cloud', () => 'https://169.254.169.254/keys', /not public.*--issuer-networks/],
  ['without an end', () => `${jwksUrl}/endless`, /sent more than 262144 bytes/],
  ['that never come', () => `${jwksUrl}/silent`, /did not answer within 5000 ms/],
  ['somewhere else', () => `${jwksUrl}/moved`, /answered 302/],
  ['that are nested 20,000 deep', () => `${jwksUrl}/deep`, /malformed/],
]
for (const [what, at, said] of hostile) {
  test(`an issuer with keys ${what} speaks for nobody, and costs no more than a moment`, async () => {
    const [name] = /\w+$/.exec(what) ?? ['']
    const iss = `https://${name}.example`
    const rules = [{ claim: 'sub', value: 'someone', role: 'Owner' }]
    await plane.call('PUT', `/admin/v1/issuers/${name}`, { body: { issuer: iss, jwksUrl: at(), rules } })
    const before = await plane.service.resident()
    const bearer = await token({}, { issuer: iss })
    await plane.call('GET', '/admin/v1/whoami', { token: bearer, expect: 401 })
    await plane.service.logged(new RegExp(`${name}: .*${said.source}`))
    await read(bearer, 401)
    assert.ok((await plane.service.resident()) - before < 64 << 20)
    await plane.call('DELETE', `/admin/v1/issuers/${name}`)
  })
}

test('an issuer must be fetched safely, and be named once', async () => {
  const rules = [{ claim: 'a', value: 'b', role: 'Owner' }]
  const put = (name: string, body: object, expect: number) =>
    plane.call('PUT', `/admin/v1/issuers/${name}`, { body: { rules, ...body }, expect })
  await put('a', { issuer: 'https://a.example', jwksUrl: 'http://a.example/keys' }, 400)
  await put('a', { issuer: 'https://a.example', jwksUrl: 'file:///etc/passwd' }, 400)
  await put('a', { issuer, jwksUrl: 'https://a.example/keys' }, 409)
  await put('a', { issuer: 'https://a.example', jwksUrl: 'https://a.example/keys', rules: [{ claim: 'a' }] }, 400)
})

test("the administrator's token is shown once, kept as a hash, and renewed by a start that is told to", async () => {
  const { service } = plane
  await service.logged(new RegExp(RegExp.escape(plane.token)))
  await service.stop()
  await service.restart()
  await plane.call('GET', '/admin/v1/whoami')
  assert.ok(!service.log().includes(plane.token), 'and not at later ones')
  await service.stop()

  await using store = openSqliteStore(service.dataFolder)
  assert.ok(!JSON.stringify(await store.accessTokens.all()).includes(plane.token.split('_').slice(2).join('_')))
  const configuration = readConfiguration(['--management-token', 'renew'], {})
  const renewed = await administratorToken(store, configuration, Date.now)
  const authority = bearerAuthority(
    store,
    { clock: Date.now, monotonic: Date.now },
    keyFetcher(() => false),
  )
  assert.deepEqual((await authority(renewed!)).assignments, [{ role: 'Owner', scope: '*' }])
  await assert.rejects(authority(plane.token), Refusal)
  assert.equal(await administratorToken(store, readConfiguration([], {}), Date.now), undefined)
})
