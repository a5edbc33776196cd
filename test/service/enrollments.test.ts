import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Secret } from '../../src/base/secret.ts'
import { timestamp } from '../../src/base/time.ts'
import { readCertificateText } from '../../src/wire/certificate.ts'
import { createRoot, createSelfSigned, sha256Thumbprint } from '../fixtures/certificates.ts'
import { sasToken } from '../fixtures/sas.ts'
import { openEndpoint, registrationOf } from './endpoint.ts'
import { asDeviceId, asEtag, asIdScope } from '../fixtures/identifiers.ts'

const endpoint = await openEndpoint('127.50.1.1')
after(() => endpoint[Symbol.asyncDispose]())
const { call } = endpoint

const etagOf = (answer: { json: () => Record<string, unknown> }) => String(answer.json()['etag'])

test('a created enrollment is answered 200 with generated keys of 64 bytes, in the order of the service', async () => {
  const sent = {
    registrationId: 'Pump-0042',
    deviceId: 'hall3-pump-42',
    attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: null, secondaryKey: '' } },
    capabilities: { iotEdge: false },
    initialTwin: { tags: { hall: 3 }, properties: { desired: { rpm: 1200, modes: ['a', 'b'] } } },
    provisioningStatus: 'Enabled',
    reprovisionPolicy: { migrateDeviceData: false },
    allocationPolicy: 'GEOLATENCY',
    iotHubs: ['hub-a.example.net', 'hub-b.example.net'],
    optionalDeviceInformation: { made: 'by hand' },
    registrationState: null,
    unheardOf: 1,
  }
  const answer = await call('PUT', '/enrollments/pump-0042', sent)
  assert.equal(answer.status, 200, answer.text)
  const { attestation, etag, createdDateTimeUtc, lastUpdatedDateTimeUtc, ...rest } = answer.json()
  assert.deepEqual(rest, {
    registrationId: 'Pump-0042',
    deviceId: 'hall3-pump-42',
    optionalDeviceInformation: { made: 'by hand' },
    capabilities: { iotEdge: false },
    initialTwin: sent.initialTwin,
    provisioningStatus: 'enabled',
    reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: false },
    allocationPolicy: 'geoLatency',
    iotHubs: sent.iotHubs,
  })
  assert.match(Buffer.from(String(etag), 'base64').toString(), /^"[0-9a-f-]{36}"$/)
  assert.match(String(createdDateTimeUtc), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/)
  assert.equal(lastUpdatedDateTimeUtc, createdDateTimeUtc)
  const { symmetricKey } = attestation as { symmetricKey: { primaryKey: string; secondaryKey: string } }
  assert.equal(Buffer.from(symmetricKey.primaryKey, 'base64').length, 64)
  assert.equal(Buffer.from(symmetricKey.secondaryKey, 'base64').length, 64)
  const order =
    'registrationId deviceId optionalDeviceInformation attestation capabilities initialTwin etag provisioningStatus ' +
    'reprovisionPolicy createdDateTimeUtc lastUpdatedDateTimeUtc allocationPolicy iotHubs'
  assert.equal(Object.keys(answer.json()).join(' '), order)

  const read = await call('GET', '/ENROLLMENTS/PUMP-0042/')
  assert.deepEqual(read.json()['attestation'], { type: 'symmetricKey' })
  assert.deepEqual(read.json()['registrationState'], { registrationId: 'Pump-0042', status: 'unassigned' })
  assert.equal(etagOf(read), etag)
  const secrets = await call('POST', '/enrollments/pump-0042/attestationMechanism')
  assert.deepEqual(secrets.json(), { type: 'symmetricKey', symmetricKey })
})

const key = (byte: number, length = 32) => Buffer.alloc(length, byte).toString('base64')

interface Attestation {
  readonly type: string
  readonly symmetricKey?: { readonly primaryKey: string; readonly secondaryKey: string }
  readonly x509?: { readonly [of: string]: { readonly [slot: string]: { readonly info: Record<string, unknown> } } }
}

const attestationOf = (answer: { json: () => Record<string, unknown> }) => answer.json()['attestation'] as Attestation

test('what C# writes back after reading, empty keys and a quoted etag, keeps the keys', async () => {
  const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: key(1), secondaryKey: key(2, 16) } }
  const created = await call('PUT', '/enrollments/csharp', { registrationId: 'csharp', attestation })
  const read = (await call('GET', '/enrollments/csharp')).json()
  const written = {
    ...read,
    attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: '', secondaryKey: '' } },
    iotHubs: ['hub-b.example.net'],
  }
  const answer = await call('PUT', '/enrollments/csharp', written, { 'if-match': `"${etagOf(created)}"` })
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(attestationOf(answer), attestation)
  assert.deepEqual(answer.json()['iotHubs'], ['hub-b.example.net'])
  assert.notEqual(etagOf(answer), etagOf(created))
  assert.equal(answer.json()['createdDateTimeUtc'], created.json()['createdDateTimeUtc'])
})

test('a PUT replaces the whole record: what it leaves out is cleared, keys apart', async () => {
  const body = { registrationId: 'whole', attestation: { type: 'symmetricKey' } }
  const created = await call('PUT', '/enrollments/whole', { ...body, deviceId: 'w', initialTwin: { tags: { a: 1 } } })
  const answer = await call('PUT', '/enrollments/whole', body, { 'if-match': '*' })
  assert.deepEqual(attestationOf(answer), attestationOf(created))
  assert.ok(!('initialTwin' in answer.json()) && !('deviceId' in answer.json()), answer.text)
})

test('one key given: the other is generated; a new one replaces its slot only', async () => {
  const put = (symmetricKey: object, headers = {}) =>
    call(
      'PUT',
      '/enrollments/one',
      { registrationId: 'one', attestation: { type: 'symmetricKey', symmetricKey } },
      headers,
    )
  const created = attestationOf(await put({ primaryKey: key(3) })).symmetricKey
  assert.equal(created?.primaryKey, key(3))
  assert.equal(Buffer.from(created.secondaryKey, 'base64').length, 64)
  const updated = attestationOf(await put({ secondaryKey: key(4, 64) }, { 'if-match': '*' })).symmetricKey
  assert.deepEqual(updated, { primaryKey: key(3), secondaryKey: key(4, 64) })
})

const [leaf, next, other] = await Promise.all(['leaf', 'next', 'other'].map((name) => createSelfSigned(name)))
const info = { subjectName: 'CN=leaf', sha256Thumbprint: sha256Thumbprint(leaf!.certificate) }

const x509 = (clientCertificates: unknown) => ({ type: 'x509', x509: { clientCertificates } })

test('a key is base64 of 16 to 64 bytes, and anything else is refused by its name', async () => {
  for (const [at, [primaryKey, status]] of (
    [
      [key(1, 16), 200],
      [key(1, 64), 200],
      [key(1, 15), 400],
      [key(1, 65), 400],
      ['not base64!', 400],
    ] as const
  ).entries()) {
    const body = { registrationId: `sized-${at}`, attestation: { type: 'symmetricKey', symmetricKey: { primaryKey } } }
    const answer = await call('PUT', `/enrollments/sized-${at}`, body)
    assert.equal(answer.status, status, primaryKey)
    if (status === 400) assert.match(answer.text, /attestation\.symmetricKey\.primaryKey must be base64/)
  }
})

test('certificates are shown as info only, and a record that is written back with info only keeps them', async () => {
  const pair = { primary: { certificate: leaf!.certificate }, secondary: { certificate: next!.certificate } }
  const created = await call('PUT', '/enrollments/certs', { registrationId: 'certs', attestation: x509(pair) })
  assert.equal(created.status, 200, created.text)
  assert.ok(!created.text.includes('"certificate"'))
  const read = await call('GET', '/enrollments/certs')
  const shown = attestationOf(read).x509?.['clientCertificates']?.['primary']?.info
  assert.equal(shown?.['subjectName'], 'CN=leaf')
  assert.equal(Object.keys(shown).length, 8)
  const answer = await call('PUT', '/enrollments/certs', read.json(), { 'if-match': etagOf(read) })
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(attestationOf(answer), attestationOf(read))
})

test('the CLI removes the primary certificate: only the secondary, by its info, stays and stays secondary', async () => {
  const read = await call('GET', '/enrollments/certs')
  const secondary = attestationOf(read).x509?.['clientCertificates']?.['secondary']
  const body = { ...read.json(), attestation: x509({ primary: null, secondary }) }
  const answer = await call('PUT', '/enrollments/certs', body, { 'if-match': '*' })
  assert.deepEqual(attestationOf(answer), x509({ secondary }))
  const moved = await call(
    'PUT',
    '/enrollments/certs',
    { ...body, attestation: x509({ primary: secondary }) },
    { 'if-match': '*' },
  )
  assert.deepEqual(attestationOf(moved), x509({ primary: secondary }))
})

test('info of a certificate that the record does not hold is refused', async () => {
  const body = { registrationId: 'certs', attestation: x509({ primary: { info } }) }
  const answer = await call('PUT', '/enrollments/certs', body, { 'if-match': '*' })
  assert.equal(answer.status, 400)
  assert.deepEqual(answer.json()['info'], { member: 'attestation.x509.clientCertificates.primary.info' })
})

test('a certificate of another enrollment is refused with 409; both slots of one record may hold the same', async () => {
  const certificate = Buffer.from(other!.certificate).toString('base64')
  const twice = x509({ primary: { certificate }, secondary: { certificate: other!.certificate } })
  const first = await call('PUT', '/enrollments/first', { registrationId: 'first', attestation: twice })
  assert.equal(first.status, 200, first.text)
  assert.equal((await call('PUT', '/enrollments/first', first.json(), { 'if-match': '*' })).status, 200)
  const second = await call('PUT', '/enrollments/second', {
    registrationId: 'second',
    attestation: x509({ primary: { certificate: other!.certificate } }),
  })
  assert.equal(second.status, 409)
  assert.equal(second.json()['errorCode'], 409201)
})

test('a changed attestation type is taken if the new credential is complete', async () => {
  const body = { registrationId: 'first', attestation: { type: 'symmetricKey' } }
  const answer = await call('PUT', '/enrollments/first', body, { 'if-match': '*' })
  assert.ok(attestationOf(answer).symmetricKey, answer.text)
})

test('a group has no device ID and no registration state, and is otherwise the same', async () => {
  const root = await createRoot('Acme root')
  const attestation = { type: 'x509', x509: { signingCertificates: { primary: { certificate: root.certificate } } } }
  const sent = { enrollmentGroupId: 'line-9', deviceId: 'x', optionalDeviceInformation: {}, attestation }
  const created = await call('PUT', '/enrollmentGroups/line-9', sent)
  assert.equal(created.status, 200, created.text)
  const read = await call('GET', '/enrollmentgroups/LINE-9')
  const members = [
    'enrollmentGroupId',
    'attestation',
    'etag',
    'provisioningStatus',
    'createdDateTimeUtc',
    'lastUpdatedDateTimeUtc',
  ]
  assert.deepEqual(Object.keys(read.json()), members)
  const mechanism = await call('POST', '/enrollmentgroups/line-9/attestationmechanism', {})
  assert.deepEqual(mechanism.json(), read.json()['attestation'])
  assert.equal((await call('DELETE', '/enrollmentGroups/line-9')).status, 204)
  const gone = await call('GET', '/enrollmentGroups/line-9')
  assert.equal(gone.status, 404)
  assert.equal(gone.json()['errorCode'], 404202)
})

test('caReferences need an uploaded certificate, and are echoed', async () => {
  const certificate = readCertificateText(leaf!.certificate)!
  const now = timestamp(Date.now())
  const stored = { isVerified: true, etag: asEtag('e'), createdDateTimeUtc: now, lastUpdatedDateTimeUtc: now }
  await endpoint.store.transact((write) =>
    write.caCertificates.put(asIdScope(endpoint.idScope), { name: 'acme-root-2030', ...certificate, ...stored }),
  )
  const put = (primary: string) => {
    const attestation = { type: 'x509', x509: { caReferences: { primary, secondary: null } } }
    return call('PUT', '/enrollmentGroups/by-ca', { enrollmentGroupId: 'by-ca', attestation })
  }
  const refused = await put('nobody')
  assert.equal(refused.status, 400)
  assert.deepEqual(refused.json()['info'], { member: 'attestation.x509.caReferences.primary' })
  const answer = await put('acme-root-2030')
  assert.deepEqual(answer.json()['attestation'], {
    type: 'x509',
    x509: { caReferences: { primary: 'acme-root-2030' } },
  })
})

test('a hub that was unlinked may stay in an enrollment that names it, but no other may name it', async () => {
  const body = (registrationId: string) => ({
    registrationId,
    attestation: { type: 'symmetricKey' },
    iotHubs: ['hub-c.example.net'],
  })
  const link = { keyName: 'k', key: new Secret(Buffer.alloc(32)), location: '', allocationWeight: 1 }
  await endpoint.store.transact((write) =>
    write.linkedHubs.put(asIdScope(endpoint.idScope), {
      hostName: 'hub-c.example.net',
      ...link,
      applyAllocationPolicy: true,
    }),
  )
  assert.equal((await call('PUT', '/enrollments/early', body('early'))).status, 200)
  await endpoint.store.transact((write) => write.linkedHubs.delete(asIdScope(endpoint.idScope), 'hub-c.example.net'))
  const disabled = { ...body('early'), provisioningStatus: 'disabled' }
  assert.equal((await call('PUT', '/enrollments/early', disabled, { 'if-match': '*' })).status, 200)
  const late = await call('PUT', '/enrollments/late', body('late'))
  assert.equal(late.status, 400)
  assert.deepEqual(late.json()['info'], { member: 'iotHubs' })
})

test('a reader who may not write sees the webhook without its query, and writing that back keeps it', async () => {
  const customAllocationDefinition = { webhookUrl: 'https://a.example/pick?code=s3cret', apiVersion: '2021-10-01' }
  const body = { registrationId: 'hook', attestation: { type: 'symmetricKey' }, allocationPolicy: 'custom' }
  const created = await call('PUT', '/enrollments/hook', { ...body, customAllocationDefinition })
  assert.deepEqual(created.json()['customAllocationDefinition'], customAllocationDefinition)
  const authorization = sasToken(endpoint.host, endpoint.keys.reader.primary, { keyName: 'reader' })
  const read = await call('GET', '/enrollments/hook', undefined, { authorization })
  const masked = { ...customAllocationDefinition, webhookUrl: 'https://a.example/pick?****' }
  assert.deepEqual(read.json()['customAllocationDefinition'], masked)
  const probe = {
    query: "SELECT * WHERE STARTSWITH(customAllocationDefinition.webhookUrl, 'https://a.example/pick?code=')",
  }
  assert.equal((await call('POST', '/enrollments/query', probe, { authorization })).text, '[]')
  const answer = await call('PUT', '/enrollments/hook', read.json(), { 'if-match': '*' })
  assert.deepEqual(answer.json()['customAllocationDefinition'], customAllocationDefinition)
})

test('deleting an individual enrollment forgets its registration, but not one that came through a group', async () => {
  for (const [id, enrollmentGroupId, left] of [
    ['own', undefined, 404],
    ['by-group', 'line', 200],
  ] as const) {
    await call('PUT', `/enrollments/${id}`, { registrationId: id, attestation: { type: 'symmetricKey' } })
    await endpoint.store.transact((write) =>
      write.registrations.put(asIdScope(endpoint.idScope), registrationOf(asDeviceId(id), enrollmentGroupId)),
    )
    const state = (await call('GET', `/enrollments/${id}`)).json()['registrationState'] as Record<string, unknown>
    assert.equal(state['assignedHub'], 'hub-a.example.net')
    assert.equal((await call('DELETE', `/enrollments/${id}`)).status, 204)
    assert.equal((await call('GET', `/registrations/${id}`)).status, left)
  }
})

test('of many who create one enrollment at once, one succeeds and the others read 409', async () => {
  const create = () =>
    call('PUT', '/enrollments/race', { registrationId: 'race', attestation: { type: 'symmetricKey' } })
  const answers = await Promise.all(Array.from({ length: 8 }, create))
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409, 409, 409, 409, 409, 409])
  const winner = answers.find(({ status }) => status === 200)!
  const update = (spelling: string) =>
    call(
      'PUT',
      '/enrollments/race',
      { registrationId: 'race', attestation: { type: 'symmetricKey' } },
      { 'if-match': spelling },
    )
  const updates = await Promise.all(Array.from({ length: 8 }, () => update(etagOf(winner))))
  assert.deepEqual(updates.map(({ status }) => status).sort(), [200, 412, 412, 412, 412, 412, 412, 412])
})

test('nothing that was refused or asked above was a fault of ours', () => assert.deepEqual(endpoint.faults, []))
