import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Refusal } from '../../src/model/refusal.ts'
import { Secret } from '../../src/base/secret.ts'
import { askHttps, type HttpsAnswer } from '../fixtures/https.ts'
import { newKey } from '../fixtures/enrollments.ts'
import { sasToken } from '../fixtures/sas.ts'
import { openEndpoint, registrationOf, type PolicyName } from './endpoint.ts'
import { asDeviceId, asIdScope, asTimestamp } from '../fixtures/identifiers.ts'

const host = '127.50.3.1'
let throttled: number | undefined
let rejected = ''
const endpoint = await openEndpoint(host, {
  bearer: async (token) => {
    if (token !== 'good') throw new Refusal('ServiceTokenSignatureInvalid', 'not the good one')
    return { principal: { kind: 'bearer', id: 'somebody' }, may: (action) => action === 'enrollments/read' }
  },
  throttle: () => throttled,
  admits: (address) => address !== rejected,
})
after(() => endpoint[Symbol.asyncDispose]())
const owner = endpoint.keys.provisioningserviceowner

const ask = (authorization: string | undefined, path = '/enrollments/absent', method = 'GET', headers = {}) =>
  askHttps(host, 443, endpoint.ca, {
    method,
    path: `${path}?api-version=2021-10-01`,
    headers: { authorization, ...headers },
  })

/** The enrollment is not there, so that 404 proves that the caller was let in. */
const admitted = (answer: HttpsAnswer) => assert.equal(answer.status, 404, answer.text)

/** Unauthorized, with nothing said of the cause; the cause is in the audit line. */
function refused(answer: HttpsAnswer, reason: string): void {
  assert.equal(answer.status, 401, answer.text)
  const { errorCode, message, info, trackingId } = answer.json()
  assert.deepEqual({ errorCode, message, info }, { errorCode: 401002, message: 'Unauthorized', info: undefined })
  const line = endpoint.audit.findLast(({ correlationId }) => correlationId === trackingId)
  assert.match(line?.resultDescription ?? '', new RegExp(`^${reason}:`))
}

const keyName = 'provisioningserviceowner'
const seconds = () => Math.floor(Date.now() / 1000)

const good: Readonly<Record<string, string>> = {
  'with its host as typed': sasToken(host, owner.primary, { keyName, encoding: 'none' }),
  'with its host encoded': sasToken('acme-dps.example.net/', owner.primary, { keyName }),
  'in mixed case': sasToken('ACME-dps.Example.NET', owner.primary, { keyName, encoding: 'none' }),
  'with a scheme': sasToken(`https://${host}`, owner.primary, { keyName }),
  'with a scheme in lower-case hex': sasToken(`https://${host}/`, owner.primary, { keyName, encoding: 'lower' }),
  'with a port': sasToken(`${host}:8443`, owner.primary, { keyName }),
  'signed with the secondary key': sasToken(host, owner.secondary, { keyName }),
  'with its members in another order': sasToken(host, owner.primary, { keyName, order: ['se', 'skn', 'sig', 'sr'] }),
  'with its policy in another letter case': sasToken(host, owner.primary, { keyName: keyName.toUpperCase() }),
  'for the family of the path': sasToken(`${host}/Enrollments`, owner.primary, { keyName }),
  'for the very path': sasToken(`${host}/enrollments/absent`, owner.primary, { keyName }),
}

for (const [name, token] of Object.entries(good)) {
  test(`a shared access signature ${name} is admitted`, async () => admitted(await ask(token)))
}

test('a signature whose plus signs are not encoded is admitted', async () => {
  for (let expiry = seconds() + 60; ; expiry++) {
    const token = sasToken(host, owner.primary, { keyName, expiry })
    if (!token.includes('%2B')) continue
    admitted(await ask(token.replaceAll('%2B', '+')))
    return
  }
})

const bad: Readonly<Record<string, readonly [token: string | undefined, reason: string]>> = {
  'no token': [undefined, 'ServiceTokenMissing'],
  'no token at all in the header': ['SharedAccessSignature', 'ServiceTokenMalformed'],
  'another scheme': ['Basic YTpi', 'ServiceTokenMalformed'],
  'a token without its signature': [`SharedAccessSignature sr=${host}&se=${seconds() + 60}`, 'ServiceTokenMalformed'],
  'a token that is not encoded properly': ['SharedAccessSignature sr=%&sig=a&se=1', 'ServiceTokenMalformed'],
  'a token of 5 KB': [`SharedAccessSignature sr=${'a'.repeat(5000)}&sig=a&se=1`, 'ServiceTokenMalformed'],
  'an expired token': [sasToken(host, owner.primary, { keyName, expiry: seconds() - 1 }), 'ServiceTokenExpired'],
  'a wrong key': [sasToken(host, newKey(), { keyName }), 'ServiceTokenSignatureInvalid'],
  'a policy that is not there': [sasToken(host, owner.primary, { keyName: 'nobody' }), 'ServicePolicyUnknown'],
  'no policy': [sasToken(host, owner.primary), 'ServicePolicyUnknown'],
  'another host': [sasToken('other.example.net', owner.primary, { keyName }), 'ServiceTokenForAnotherResource'],
  'a longer host': [sasToken(`${host}.example.net`, owner.primary, { keyName }), 'ServiceTokenForAnotherResource'],
  'another family': [sasToken(`${host}/registrations`, owner.primary, { keyName }), 'ServiceTokenForAnotherResource'],
  'another path': [sasToken(`${host}/enrollments/a`, owner.primary, { keyName }), 'ServiceTokenForAnotherResource'],
  'a longer path': [
    sasToken(`${host}/enrollments/absent/x`, owner.primary, { keyName }),
    'ServiceTokenForAnotherResource',
  ],
}

for (const [name, [token, reason]] of Object.entries(bad)) {
  test(`${name} is refused with 401 and nothing else`, async () => refused(await ask(token), reason))
}

const permitted: Readonly<Record<PolicyName, readonly string[]>> = {
  provisioningserviceowner: ['read', 'query', 'mechanism', 'write', 'delete', 'bulk', 'state', 'states', 'forget'],
  reader: ['read', 'query'],
  registrationReader: ['state', 'states'],
  registrationWriter: ['state', 'states', 'forget'],
}
const calls: Readonly<Record<string, readonly [method: string, path: string]>> = {
  read: ['GET', '/enrollments/absent'],
  query: ['POST', '/enrollmentGroups/query'],
  mechanism: ['POST', '/enrollments/absent/attestationmechanism'],
  write: ['PUT', '/enrollments/absent'],
  delete: ['DELETE', '/enrollmentGroups/absent'],
  bulk: ['POST', '/enrollments'],
  state: ['GET', '/registrations/absent'],
  states: ['POST', '/registrations/absent/query'],
  forget: ['DELETE', '/registrations/absent'],
}

for (const [policy, allowed] of Object.entries(permitted) as [PolicyName, readonly string[]][]) {
  test(`policy ${policy} may ${allowed.join(', ')} and nothing else`, async () => {
    for (const [name, [method, path]] of Object.entries(calls)) {
      const token = sasToken(host, endpoint.keys[policy].primary, { keyName: policy })
      const answer = await ask(token, path, method)
      if (allowed.includes(name)) assert.notEqual(answer.status, 401, `${name}: ${answer.text}`)
      else refused(answer, 'ServiceRightMissing')
    }
  })
}

test('behind a proxy that changes the Host header, the token names the instance', async () => {
  const token = sasToken('acme-dps.example.net', owner.primary, { keyName })
  admitted(await ask(token, undefined, undefined, { host: 'internal.example' }))
})

test('one tenant is not reached with the token of another, by either of the two names', async () => {
  const idScope = asIdScope('0ne0000005B')
  const name = 'other-dps.example.net'
  const key = newKey()
  const secret = new Secret(Buffer.from(key, 'base64'))
  await endpoint.store.transact((write) => {
    const createdDateTimeUtc = asTimestamp('2031-01-01T00:00:00.0000000Z')
    write.services.create({ idScope, name, hostNames: [name], allocationPolicy: 'hashed', createdDateTimeUtc })
    write.policies.put(idScope, { keyName, primaryKey: secret, secondaryKey: secret, rights: ['EnrollmentWrite'] })
    write.registrations.put(idScope, registrationOf(asDeviceId('secret-device')))
  })
  const theirs = sasToken(name, key, { keyName })
  assert.equal((await ask(theirs, '/registrations/secret-device', 'GET', { host: name })).status, 200)
  refused(await ask(theirs, '/registrations/secret-device', 'GET', { host }), 'ServiceTokenForAnotherResource')
  const ours = sasToken(host, owner.primary, { keyName })
  refused(await ask(ours, '/registrations/secret-device', 'GET', { host: name }), 'ServiceTokenForAnotherResource')
  refused(
    await ask(sasToken(name, owner.primary, { keyName }), undefined, 'GET', { host: name }),
    'ServiceTokenSignatureInvalid',
  )
  assert.equal((await ask(ours, '/registrations/secret-device')).status, 404)
})

test('a bearer token may do what its authority says, and only on the instance of the Host header', async () => {
  admitted(await ask('Bearer good', '/enrollments/absent'))
  refused(await ask('bearer bad'), 'ServiceTokenSignatureInvalid')
  refused(await ask('Bearer good', '/enrollments/absent', 'DELETE'), 'ServiceRightMissing')
  refused(
    await ask('Bearer good', undefined, undefined, { host: 'internal.example' }),
    'ServiceTokenForAnotherResource',
  )
})

test('an address that the instance does not admit reads 401 like everybody else', async () => {
  rejected = '127.0.0.1'
  try {
    refused(await ask(sasToken(host, owner.primary, { keyName })), 'AddressNotAllowed')
  } finally {
    rejected = ''
  }
})

test('a throttled call reads 429 with whole seconds to wait, but only to those who may call', async () => {
  throttled = 2.3
  try {
    const answer = await ask(sasToken(host, owner.primary, { keyName }))
    assert.equal(answer.status, 429)
    assert.equal(answer.headers['retry-after'], '3')
    assert.equal(answer.json()['errorCode'], 429001)
    refused(await ask(sasToken(host, newKey(), { keyName })), 'ServiceTokenSignatureInvalid')
  } finally {
    throttled = undefined
  }
})

test('no audit line holds a signature or a key, and none of this was a fault of ours', () => {
  const log = JSON.stringify(endpoint.audit)
  for (const { primary, secondary } of Object.values(endpoint.keys)) {
    assert.ok(!log.includes(primary) && !log.includes(secondary))
  }
  assert.ok(!/sig=/.test(log))
  assert.deepEqual(endpoint.faults, [])
})
