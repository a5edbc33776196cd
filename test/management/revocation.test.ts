import 'reflect-metadata'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import * as x509 from '@peculiar/x509'
import { createRoot, cRLSign, inDays, sha256Thumbprint, type Leaf } from '../fixtures/certificates.ts'
import { sasToken } from '../fixtures/sas.ts'
import { openControlPlane, type CallOptions, type ControlPlane } from './control-plane.ts'
import {
  createRevocationList,
  issuingDistributionPoint,
  type ListOptions,
  type Revoking,
} from '../fixtures/revocation-list.ts'

let plane: ControlPlane
before(async () => void (plane = await openControlPlane('127.80.5', ['--outbound-networks', '127.80.5.9'])))
after(() => plane[Symbol.asyncDispose]())

const at = (rest: string) => plane.path('hubward', rest)
const revoke = async (body: object, options: CallOptions = {}) =>
  (await plane.call('POST', at('/revoke'), { body, ...options })).json()

async function register(registrationId: string, proof: Leaf | string): Promise<number> {
  const { idScope, https } = plane.service
  const path = `/${idScope}/registrations/${registrationId}/register?api-version=2021-06-01`
  const body = { registrationId }
  if (typeof proof !== 'string')
    return (await https({ method: 'PUT', path, body, cert: proof.chain, key: proof.key })).status
  const authorization = sasToken(`${idScope}/registrations/${registrationId}`, proof, { keyName: 'registration' })
  return (await https({ method: 'PUT', path, body, headers: { authorization } })).status
}

async function enrollGroup(id: string, certificate: string): Promise<void> {
  const attestation = { type: 'x509', x509: { signingCertificates: { primary: { certificate } } } }
  await plane.service.operate('PUT', `/enrollmentGroups/${id}`, { enrollmentGroupId: id, attestation })
}

test('one call denies a lost device and disables its identity at the hub', async () => {
  const key = randomBytes(64).toString('base64')
  const symmetricKey = { primaryKey: key, secondaryKey: key }
  const attestation = { type: 'symmetricKey', symmetricKey }
  await plane.service.operate('PUT', '/enrollments/lost', { registrationId: 'lost', attestation })
  assert.equal(await register('lost', key), 202)

  const { devices } = await revoke({ registrationId: 'LOST', reason: 'stolen from the van' })
  const [cut] = devices as [Record<string, string>]
  assert.equal(cut['identity'], 'disabled')
  const hub = plane.service.hubConnectionStrings.findIndex((text) => text.includes(`HostName=${cut['assignedHub']};`))
  const identity = (await plane.service.askHub(hub, 'GET', '/devices/lost')).json()
  assert.equal(identity['status'], 'disabled')
  assert.equal(identity['statusReason'], 'revoked: stolen from the van')
  assert.equal(await register('lost', key), 401)
  await plane.service.logged(
    /the registration ID lost was revoked on .* \(operator\): stolen from the van \[RegistrationRevoked/,
  )

  const [entry] = (await plane.call('GET', at('/revocations'))).json()['value'] as [{ key: string; reason: string }]
  assert.equal(entry.reason, 'stolen from the van')
  await plane.call('DELETE', at(`/revocations/${encodeURIComponent(entry.key)}`))
  assert.equal(await register('lost', key), 202, 'found again')
})

test('a revoked certificate is refused by thumbprint and by serial number, and others of its group are not', async () => {
  const root = await createRoot('Thumb root')
  await enrollGroup('thumb', root.certificate)
  const [one, two, three] = await Promise.all(['t-1', 't-2', 't-3'].map((name) => root.issueLeaf(name)))
  assert.deepEqual([await register('t-1', one!), await register('t-2', two!)], [202, 202])
  await revoke({ thumbprint: sha256Thumbprint(one!.certificate), reason: 'key leaked' })
  const { serialNumber } = new x509.X509Certificate(two!.certificate)
  await revoke({ serialNumber: serialNumber.match(/../g)!.join(':'), reason: 'retired' })
  assert.deepEqual(
    [await register('t-1', one!), await register('t-2', two!), await register('t-3', three!)],
    [401, 401, 202],
  )
  await plane.service.logged(/the certificate CN=t-1 was revoked .*: key leaked \[CertificateRevoked/)
})

test('a revoked intermediate takes all devices below it along, also those that do not send it', async () => {
  const root = await createRoot('Line root')
  const line = await root.issueAuthority('Bad line')
  await plane.call('PUT', at('/certificates/bad-line'), { body: { properties: { certificate: line.certificate } } })
  await enrollGroup('lines', root.certificate)
  const leaf = await line.issueLeaf('below')
  assert.equal(await register('below', leaf), 202)
  await revoke({ thumbprint: sha256Thumbprint(line.certificate), reason: 'the line was broken into' })
  assert.equal(await register('below', leaf), 401)
  assert.equal(await register('below', { ...leaf, chain: leaf.certificate }), 401)
})

test('a deny list belongs to its instance, and what it may hold is checked', async () => {
  const other = await plane.createInstance('other')
  await revoke({ registrationId: 'shared', reason: 'here only' })
  const value = (await plane.call('GET', plane.path(other.name, '/revocations'))).json()['value']
  assert.deepEqual(value, [])
  for (const body of [{ reason: 'nothing' }, { registrationId: 'a' }, { thumbprint: 'xyz', reason: 'a' }]) {
    await revoke(body, { expect: 400 })
  }
})

test('a revocation list revokes what it lists, until a later one does not', async () => {
  const root = await createRoot('Crl root')
  const revoking: Revoking = { issuer: root.certificate, key: root.signingKey }
  await enrollGroup('crl', root.certificate)
  const good = await root.issueLeaf('crl-good')
  const bad = await root.issueLeaf('crl-bad')
  const { serialNumber } = new x509.X509Certificate(bad.certificate)
  const put = (revocationList: string, options: CallOptions = {}) =>
    plane.call('PUT', at('/revocationLists/factory'), { body: { revocationList }, ...options })

  const first = await createRevocationList(revoking, [serialNumber], { thisUpdate: inDays(-2) })
  assert.equal((await put(first)).json()['revoked'], 1)
  assert.deepEqual([await register('crl-good', good), await register('crl-bad', bad)], [202, 401])
  await plane.service.logged(/CN=crl-bad was revoked on .* \(crl:factory\): keyCompromise/)

  const stranger = await createRoot('Crl root')
  const forged = await createRevocationList({ ...revoking, key: stranger.signingKey }, [])
  assert.match((await put(forged, { expect: 400 })).text, /was signed by no CA certificate/)
  const expired = await createRevocationList(revoking, [], { thisUpdate: inDays(-1.5), nextUpdate: inDays(-1) })
  assert.match((await put(expired, { expect: 400 })).text, /expired on/)
  await put('hello', { expect: 400 })
  assert.equal(await register('crl-bad', bad), 401)

  await put(await createRevocationList(revoking, []))
  assert.equal(await register('crl-bad', bad), 202)
  assert.match((await put(first, { expect: 400 })).text, /older than/)
  await plane.call('DELETE', at('/revocationLists/factory'))
})

test('a revocation list is fetched from its URL', async () => {
  const root = await createRoot('Url root')
  await enrollGroup('url', root.certificate)
  const leaf = await root.issueLeaf('url-1')
  const { serialNumber } = new x509.X509Certificate(leaf.certificate)
  const list = await createRevocationList({ issuer: root.certificate, key: root.signingKey }, [serialNumber])
  const server = createServer((_, answer) => answer.end(Buffer.from(list.split('\n').slice(1, -1).join(''), 'base64')))
  await new Promise<void>((resolve) => server.listen(0, '127.80.5.9', resolve))
  const url = `http://127.80.5.9:${(server.address() as AddressInfo).port}/root.crl`
  await plane.call('PUT', at('/revocationLists/url'), { body: { url } })
  assert.equal(await register('url-1', leaf), 401)
  server.close()
  await plane.call('PUT', at('/revocationLists/gone'), { body: { url }, expect: 400 })
  await plane.call('PUT', at('/revocationLists/file'), { body: { url: 'file:///etc/passwd' }, expect: 400 })
})

test('a root that was revoked takes its devices along, which do not send it', async () => {
  const root = await createRoot('Gone root')
  const line = await root.issueAuthority('Gone line')
  await enrollGroup('gone', root.certificate)
  const leaf = await line.issueLeaf('gone-1')
  assert.equal(await register('gone-1', leaf), 202)
  const { serialNumber } = new x509.X509Certificate(root.certificate)
  const list = await createRevocationList({ issuer: root.certificate, key: root.signingKey }, [serialNumber])
  await plane.call('PUT', at('/revocationLists/gone-root'), { body: { revocationList: list } })
  assert.equal(await register('gone-1', leaf), 401, 'by its own list')
  await plane.call('DELETE', at('/revocationLists/gone-root'))
  assert.equal(await register('gone-1', leaf), 202)
  await revoke({ thumbprint: sha256Thumbprint(root.certificate), reason: 'the root was stolen' })
  assert.equal(await register('gone-1', leaf), 401, 'by hand')
})

test('a list takes back only what it revoked itself, and what it revokes is not taken back by hand', async () => {
  const root = await createRoot('Both root')
  await enrollGroup('both', root.certificate)
  const leaf = await root.issueLeaf('both-1')
  const { serialNumber } = new x509.X509Certificate(leaf.certificate)
  await revoke({ serialNumber, reason: 'by hand' })
  const revoking: Revoking = { issuer: root.certificate, key: root.signingKey }
  const list = await createRevocationList(revoking, [serialNumber])
  await plane.call('PUT', at('/revocationLists/both'), { body: { revocationList: list } })

  const { value } = (await plane.call('GET', at('/revocations'))).json() as { value: { key: string; source: string }[] }
  const listed = value.find(({ source }) => source === 'crl:both')
  const refused = await plane.call('DELETE', at(`/revocations/${encodeURIComponent(listed!.key)}`), { expect: 404 })
  assert.match(refused.text, /the list both revokes it until a later one/)
  await plane.call('DELETE', at('/revocationLists/both'))
  assert.equal(await register('both-1', leaf), 401, 'still revoked by hand')
})

test('a list for user certificates revokes no CA, and says what it is about', async () => {
  const root = await createRoot('Scope root')
  const line = await root.issueAuthority('Scope line')
  await enrollGroup('scope', root.certificate)
  const leaf = await line.issueLeaf('scope-1')
  const { serialNumber } = new x509.X509Certificate(line.certificate)
  const revoking: Revoking = { issuer: root.certificate, key: root.signingKey }
  const put = async (name: string, parts: string) => {
    const list = await createRevocationList(revoking, [serialNumber], { extensions: [issuingDistributionPoint(parts)] })
    return (await plane.call('PUT', at(`/revocationLists/${name}`), { body: { revocationList: list } })).json()
  }
  assert.deepEqual((await put('users', '8101FF'))['scope'], { certificates: 'user' })
  assert.equal(await register('scope-1', leaf), 202)
  assert.deepEqual((await put('cas', '8201FF'))['scope'], { certificates: 'ca' })
  assert.equal(await register('scope-1', leaf), 401)
})

test('a key that is for lists only is uploaded like a CA, and its list counts for the CA of its name', async () => {
  const root = await createRoot('Keys root')
  const line = await root.issueAuthority('Keys line')
  const forLists = await root.issueAuthority('Keys line', { keyUsage: cRLSign, extensions: [] })
  await enrollGroup('keys', root.certificate)
  const leaf = await line.issueLeaf('keys-1')
  assert.equal(await register('keys-1', leaf), 202)
  const put = async (name: string, reason: x509.X509CrlReason, options: ListOptions) => {
    const revoking: Revoking = { issuer: forLists.certificate, key: forLists.signingKey }
    const serials = [new x509.X509Certificate(leaf.certificate).serialNumber]
    const revocationList = await createRevocationList(revoking, serials, { reason, ...options })
    return (await plane.call('PUT', at(`/revocationLists/${name}`), { body: { revocationList } })).json()
  }
  for (const [index, { certificate }] of [line, forLists].entries()) {
    const properties = { certificate: Buffer.from(certificate).toString('base64') }
    await plane.call('PUT', at(`/certificates/keys-${index}`), { body: { properties } })
  }
  await put('keys', x509.X509CrlReason.certificateHold, { number: 1, thisUpdate: inDays(-1) })
  assert.equal(await register('keys-1', leaf), 401, 'on hold')
  const delta = new x509.Extension('2.5.29.27', true, Buffer.from('020101', 'hex'))
  const shown = await put('keys-new', x509.X509CrlReason.removeFromCRL, { number: 2, extensions: [delta] })
  assert.deepEqual([shown['base'], shown['number'], shown['issuerName']], ['1', '2', undefined])
  assert.equal(await register('keys-1', leaf), 202, 'released')
})

test('a list is not fetched inside, by no name and through no redirect, and its URL is shown without secrets', async () => {
  let calls = 0
  const inside = createServer((_, answer) => void (calls++, answer.end('inside')))
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve))
  const { port } = inside.address() as AddressInfo
  const put = async (url: string, expect = 400) => {
    const answer = await plane.call('PUT', at('/revocationLists/inside'), { body: { url }, expect })
    return answer.text
  }
  const hosts = [
    '127.0.0.1',
    'localhost',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '0.0.0.0',
  ]
  for (const host of [...hosts, '169.254.169.254', '10.0.0.1', '[fe80::1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]'])
    assert.match(await put(`http://${host}:${port}/a?sig=hush`), /not public.*--outbound-networks/, host)
  assert.match(await put(`http://user:hush@127.80.5.9:${port}/`), /must not have a user name or password/)
  assert.match(await put(`ftp://127.80.5.9:${port}/`), /must be an http or https URL/)

  const redirecting = createServer((_, answer) =>
    answer.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end(),
  )
  await new Promise<void>((resolve) => redirecting.listen(0, '127.80.5.9', resolve))
  const answer = await put(`http://127.80.5.9:${(redirecting.address() as AddressInfo).port}/a?sig=hush`)
  assert.match(answer, /a\?\*{4} answered 302/)
  assert.equal(calls, 0)
  assert.doesNotMatch(plane.service.log(), /hush/)
  for (const server of [inside, redirecting]) server.close()
})

test('an endless list is cut off, and a hub inside is not called', async () => {
  const endless = createServer((_, answer) => {
    const more = () => void (answer.write(Buffer.alloc(1 << 20)) ? setImmediate(more) : answer.once('drain', more))
    more()
  })
  await new Promise<void>((resolve) => endless.listen(0, '127.80.5.9', resolve))
  const url = `http://127.80.5.9:${(endless.address() as AddressInfo).port}/`
  const { text } = await plane.call('PUT', at('/revocationLists/endless'), { body: { url }, expect: 400 })
  assert.match(text, /sent more than 8388608 bytes/)
  endless.closeAllConnections()
  endless.close()

  const connectionString = 'HostName=127.0.0.1;SharedAccessKeyName=owner;SharedAccessKey=AAAA'
  const tenant = await plane.createInstance('curious', { iotHubs: [{ connectionString, location: 'here' }] })
  const symmetricKey = { primaryKey: 'A'.repeat(86) + '==', secondaryKey: 'A'.repeat(86) + '==' }
  await plane.operate(tenant, 'PUT', '/enrollments/curious', {
    body: { registrationId: 'curious', attestation: { type: 'symmetricKey', symmetricKey } },
  })
  const path = `/${tenant.idScope}/registrations/curious/register?api-version=2021-06-01`
  const resource = `${tenant.idScope}/registrations/curious`
  const authorization = sasToken(resource, symmetricKey.primaryKey, { keyName: 'registration' })
  await plane.service.https({ method: 'PUT', path, body: { registrationId: 'curious' }, headers: { authorization } })
  await plane.service.logged(/127\.0\.0\.1 is at an address where hubs are not called.*--hub-networks/)
})
