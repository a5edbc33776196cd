import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createRoot, inDays, type Authority } from '../fixtures/certificates.ts'
import { openControlPlane, type CallOptions, type ControlPlane } from './control-plane.ts'

let plane: ControlPlane
before(async () => void (plane = await openControlPlane('127.80.2')))
after(() => plane[Symbol.asyncDispose]())

type Certificate = { etag: string; properties: Record<string, unknown> }

const at = (rest: string) => plane.path('hubward', `/certificates${rest}`)

async function ask(method: string, rest: string, options: CallOptions = {}): Promise<Certificate> {
  return (await plane.call(method, at(rest), options)).json() as Certificate
}

async function upload(name: string, root: Authority, options: CallOptions & { isVerified?: boolean } = {}) {
  const { isVerified, ...rest } = options
  return ask('PUT', `/${name}`, { body: { properties: { certificate: root.certificate, isVerified } }, ...rest })
}

async function refusal(method: string, rest: string, options: CallOptions): Promise<string> {
  const { message, details } = (await plane.call(method, at(rest), options)).json()
  return `${String(message)} ${String(details)}`
}

/** An x509 registration over HTTPS with this leaf; the status. */
async function register(registrationId: string, { chain, key }: { chain: string; key: string }): Promise<number> {
  const path = `/${plane.service.idScope}/registrations/${registrationId}/register?api-version=2021-06-01`
  const answer = await plane.service.https({ method: 'PUT', path, body: { registrationId }, cert: chain, key })
  return answer.status
}

test('a CA certificate admits the devices of a group by reference once it is verified, and not before', async () => {
  const root = await createRoot('Factory root')
  const { etag } = await upload('factory', root)
  const attestation = { type: 'x509', x509: { caReferences: { primary: 'factory' } } }
  await plane.service.operate('PUT', '/enrollmentGroups/factory-line', {
    enrollmentGroupId: 'factory-line',
    attestation,
  })
  const leaf = await root.issueLeaf('unit-1')
  assert.equal(await register('unit-1', leaf), 401, 'unverified')

  const { etag: newer, properties } = await ask('POST', '/factory/generateVerificationCode', { ifMatch: etag })
  assert.equal(await register('unit-1', leaf), 401, 'a code proves nothing')
  const { certificate } = await root.issueLeaf(String(properties['verificationCode']))
  const verified = await ask('POST', '/factory/verify', { ifMatch: newer, body: { certificate } })
  assert.equal(verified.properties['isVerified'], true)
  assert.equal(await register('unit-1', leaf), 202)

  await plane.call('DELETE', at('/factory'), { ifMatch: verified.etag })
  assert.equal(await register('unit-1', leaf), 401, 'its certificate was deleted')
})

test('an uploaded intermediate lets a device in that sends its leaf alone', async () => {
  const root = await createRoot('Deep root')
  const intermediate = await root.issueAuthority('Deep line')
  await upload('deep-root', root, { isVerified: true })
  await upload('deep-line', intermediate)
  const attestation = { type: 'x509', x509: { caReferences: { primary: 'deep-root' } } }
  await plane.service.operate('PUT', '/enrollmentGroups/deep', { enrollmentGroupId: 'deep', attestation })
  const { certificate, key } = await intermediate.issueLeaf('deep-1')
  assert.equal(await register('deep-1', { chain: certificate, key }), 202)
})

test('a proof is refused for a wrong code, a wrong CA, a missing, a used and an expired leaf or code, each with its reason', async () => {
  const root = await createRoot('Proof root')
  const other = await createRoot('Proof root') // the same name, another key
  const stranger = await createRoot('Stranger')
  const { etag } = await upload('proof', root)
  const early = await refusal('POST', '/proof/verify', {
    ifMatch: etag,
    body: { certificate: (await root.issueLeaf('x')).certificate },
    expect: 400,
  })
  assert.match(early, /no code is outstanding/)

  const { etag: newer, properties } = await ask('POST', '/proof/generateVerificationCode', { ifMatch: etag })
  const code = String(properties['verificationCode'])
  assert.match(code, /^[0-9A-F]{48}$/)
  const attempt = async (from: Authority, name: string, notAfter?: Date) => {
    const { certificate } = await from.issueLeaf(name, notAfter && { notAfter, notBefore: inDays(-9) })
    return refusal('POST', '/proof/verify', { ifMatch: newer, body: { certificate }, expect: 400 })
  }
  assert.match(await attempt(root, 'wrong-code'), /expected the common name [0-9A-F]{48}, found wrong-code/)
  assert.match(await attempt(stranger, code), /names CN=Stranger as its issuer, which is not proof/)
  assert.match(await attempt(other, code), /was not signed with the key of proof/)
  assert.match(await attempt(root, code, inDays(-1)), /the leaf expired/)
  assert.equal((await ask('GET', '/proof')).properties['isVerified'], false)

  const { certificate } = await root.issueLeaf(code)
  const verified = await ask('POST', '/proof/verify', { ifMatch: newer, body: { certificate } })
  const reused = await refusal('POST', '/proof/verify', { ifMatch: verified.etag, body: { certificate }, expect: 400 })
  assert.match(reused, /no code is outstanding/)
})

test('a code is shown once, when it is generated, and the next one voids it', async () => {
  const root = await createRoot('Code root')
  const { etag } = await upload('code', root)
  const first = await ask('POST', '/code/generateVerificationCode', { ifMatch: etag })
  assert.equal((await ask('GET', '/code')).properties['verificationCode'], undefined)
  const second = await ask('POST', '/code/generateVerificationCode', { ifMatch: first.etag })
  const { certificate } = await root.issueLeaf(String(first.properties['verificationCode']))
  const body = { certificate }
  assert.match(await refusal('POST', '/code/verify', { ifMatch: second.etag, body, expect: 400 }), /common name/)
})

test('changing a certificate asks for its etag, and other bytes are unverified again', async () => {
  const root = await createRoot('Etag root')
  const first = await upload('etag', root, { isVerified: true })
  assert.equal(first.properties['isVerified'], true)
  await upload('etag', root, { expect: 412 })
  await upload('etag', root, { ifMatch: 'AAAA', expect: 412 })
  for (const [method, rest] of [
    ['DELETE', '/etag'],
    ['POST', '/etag/generateVerificationCode'],
    ['POST', '/etag/verify'],
  ] as const) {
    await plane.call(method, at(rest), { body: {}, expect: 412 })
    await plane.call(method, at(rest), { body: {}, ifMatch: 'AAAA', expect: 412 })
  }
  const same = await upload('etag', root, { ifMatch: first.etag })
  assert.equal(same.properties['isVerified'], true, 'the same bytes')
  const replaced = await upload('etag', await createRoot('Etag root 2'), { ifMatch: `"${same.etag}"` })
  assert.equal(replaced.properties['isVerified'], false)
})

test('what is no usable CA certificate is refused with the reason', async () => {
  const root = await createRoot('Upload root')
  const leaf = await root.issueLeaf('leaf')
  const old = await createRoot('Old root', { notBefore: inDays(-9), notAfter: inDays(-1) })
  const put = (name: string, certificate: string) =>
    refusal('PUT', `/${name}`, { body: { properties: { certificate } }, expect: 400 })
  assert.match(await put('leaf', leaf.certificate), /CN=leaf is not a CA/)
  assert.match(await put('old', old.certificate), /"CN=Old root" expired on/)
  assert.match(await put('junk', 'hello'), /no X.509 certificate/)
})

test('one certificate may be uploaded under two names, as in the cloud', async () => {
  const root = await createRoot('Twin root')
  await upload('twin-1', root)
  await upload('twin-2', root)
})

test('an empty If-Match is none, any is taken where a certificate is created, and * replaces what is there', async () => {
  const body = { properties: { certificate: (await createRoot('Conditions')).certificate } }
  for (const [at, ifMatch] of ['', '""', '*', 'AAAA'].entries())
    await plane.call('PUT', plane.path('hubward', `/certificates/conditions-${at}`), { body, ifMatch })
  const path = plane.path('hubward', '/certificates/conditions-0')
  for (const ifMatch of ['', 'AAAA']) await plane.call('PUT', path, { body, ifMatch, expect: 412 })
  for (const ifMatch of ['*', '"*"']) await plane.call('PUT', path, { body, ifMatch })
})

test('an instance has no more certificates and hubs than its limits allow', async () => {
  const tight = await plane.createInstance('tight')
  await plane.call('PUT', plane.path(tight.name, '/limits'), { body: { caCertificates: 1, linkedHubs: 1 } })
  const put = async (name: string, expect?: number) => {
    const { certificate } = await createRoot(name)
    const body = { properties: { certificate } }
    return plane.call('PUT', plane.path(tight.name, `/certificates/${name}`), { body, expect })
  }
  await put('one')
  assert.match((await put('two', 400)).text, /the instance has its 1 certificates already/)
  const key = Buffer.alloc(32, 1).toString('base64')
  const hub = (name: string) => ({
    location: 'here',
    connectionString: `HostName=${name}.example;SharedAccessKeyName=k;SharedAccessKey=${key}`,
  })
  const link = (iotHubs: object[], expect?: number) =>
    plane.call('PUT', plane.path(tight.name), { body: { properties: { iotHubs } }, expect })
  await link([hub('a')])
  assert.match((await link([hub('a'), hub('b')], 400)).text, /more than 1 hubs/)
})
