import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createRoot, createSelfSigned } from '../fixtures/certificates.ts'
import { openEndpoint } from './endpoint.ts'

const endpoint = await openEndpoint('127.50.4.1', {
  rules: {
    allowHttpWebhooks: false,
    allowSharedCertificates: false,
    limits: { individualEnrollments: 8, x509Groups: 1, symmetricKeyGroups: 1 },
  },
})
after(() => endpoint[Symbol.asyncDispose]())
const { call } = endpoint

const certificate = (await createSelfSigned('device')).certificate
const root = (await createRoot('root')).certificate
const symmetric = { type: 'symmetricKey' }
const x509 = (members: unknown) => ({ attestation: { type: 'x509', x509: members } })
const keys = (symmetricKey: unknown) => ({ attestation: { type: 'symmetricKey', symmetricKey } })
const twin = (initialTwin: unknown) => ({ initialTwin })
const custom = (customAllocationDefinition: unknown) => ({ allocationPolicy: 'custom', customAllocationDefinition })
const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) })
const text = (length: number) => 'x'.repeat(length)
const many = (length: number) =>
  Object.fromEntries(Array.from({ length: length / 1024 }, (_, n) => [`k${n}`, text(1024)]))

/** What is wrong, and the member that the refusal names. */
const wrong: readonly (readonly [change: Record<string, unknown>, member: string])[] = [
  [{ registrationId: undefined }, 'registrationId'],
  [{ registrationId: 'another' }, 'registrationId'],
  [{ registrationId: 7 }, 'registrationId'],
  [{ deviceId: 'no/slash' }, 'deviceId'],
  [{ deviceId: text(129) }, 'deviceId'],
  [{ attestation: undefined }, 'attestation'],
  [{ attestation: 'x509' }, 'attestation'],
  [{ attestation: {} }, 'attestation.type'],
  [{ attestation: { type: 'psk' } }, 'attestation.type'],
  [{ attestation: { type: 'none' } }, 'attestation.type'],
  [{ attestation: { type: 'symmetricKey', tpm: { endorsementKey: 'A' } } }, 'attestation.tpm'],
  [keys({ primaryKey: 'not base64!' }), 'attestation.symmetricKey.primaryKey'],
  [keys({ primaryKey: Buffer.alloc(15).toString('base64') }), 'attestation.symmetricKey.primaryKey'],
  [keys({ secondaryKey: Buffer.alloc(65).toString('base64') }), 'attestation.symmetricKey.secondaryKey'],
  [keys({ secondaryKey: 5 }), 'attestation.symmetricKey.secondaryKey'],
  [keys([]), 'attestation.symmetricKey'],
  [{ attestation: { type: 'x509' } }, 'attestation.x509'],
  [x509({}), 'attestation.x509'],
  [x509({ signingCertificates: { primary: { certificate } } }), 'attestation.x509.signingCertificates'],
  [x509({ clientCertificates: {} }), 'attestation.x509.clientCertificates.primary'],
  [x509({ clientCertificates: { primary: {} } }), 'attestation.x509.clientCertificates.primary.certificate'],
  [
    x509({ clientCertificates: { primary: { certificate: 'MIIB' } } }),
    'attestation.x509.clientCertificates.primary.certificate',
  ],
  [
    x509({ clientCertificates: { primary: { certificate }, secondary: { certificate: text(70_000) } } }),
    'attestation.x509.clientCertificates.secondary.certificate',
  ],
  [
    x509({ clientCertificates: { primary: { certificate } }, caReferences: { primary: 'a' } }),
    'attestation.x509.caReferences',
  ],
  [x509({ caReferences: { primary: '' } }), 'attestation.x509.caReferences.primary'],
  [x509({ caReferences: { primary: 'not-there' } }), 'attestation.x509.caReferences.primary'],
  [{ attestation: { type: 'tpm' } }, 'attestation.tpm.endorsementKey'],
  [{ attestation: { type: 'tpm', tpm: { endorsementKey: '' } } }, 'attestation.tpm.endorsementKey'],
  [{ attestation: { type: 'tpm', tpm: { endorsementKey: 'AToAAQ==' } } }, 'attestation.tpm.endorsementKey'],
  [{ provisioningStatus: 'on' }, 'provisioningStatus'],
  [{ allocationPolicy: 'roundRobin' }, 'allocationPolicy'],
  [{ allocationPolicy: 'custom' }, 'customAllocationDefinition'],
  [custom({ apiVersion: '2021-10-01' }), 'customAllocationDefinition.webhookUrl'],
  [custom({ webhookUrl: 'https://a.example/' }), 'customAllocationDefinition.apiVersion'],
  [custom({ webhookUrl: '/relative', apiVersion: '2021-10-01' }), 'customAllocationDefinition.webhookUrl'],
  [custom({ webhookUrl: 'http://a.example/', apiVersion: '2021-10-01' }), 'customAllocationDefinition.webhookUrl'],
  [custom({ webhookUrl: 'https://a.example/', apiVersion: '2017-01-01' }), 'customAllocationDefinition.apiVersion'],
  [custom({ webhookUrl: 'https://a.example/', apiVersion: 'latest' }), 'customAllocationDefinition.apiVersion'],
  [{ iotHubs: 'hub-a.example.net' }, 'iotHubs'],
  [{ iotHubs: [1] }, 'iotHubs'],
  [{ iotHubs: ['hub-z.example.net'] }, 'iotHubs'],
  [{ iotHubHostName: 'hub-z.example.net' }, 'iotHubHostName'],
  [{ capabilities: { iotEdge: 'yes' } }, 'capabilities.iotEdge'],
  [{ reprovisionPolicy: { migrateDeviceData: 1 } }, 'reprovisionPolicy.migrateDeviceData'],
  [{ optionalDeviceInformation: 'text' }, 'optionalDeviceInformation'],
  [{ optionalDeviceInformation: deep(40) }, 'body'],
  [twin([]), 'initialTwin'],
  [twin({ tags: 1 }), 'initialTwin.tags'],
  [twin({ tags: { 'a.b': 1 } }), 'initialTwin.tags'],
  [twin({ tags: { a: { $b: 1 } } }), 'initialTwin.tags'],
  [twin({ tags: { 'a b': 1 } }), 'initialTwin.tags'],
  [twin({ tags: { 'a\u0007': 1 } }), 'initialTwin.tags'],
  [twin({ tags: { '': 1 } }), 'initialTwin.tags'],
  [twin({ tags: { [text(1025)]: 1 } }), 'initialTwin.tags'],
  [twin({ tags: { a: text(4097) } }), 'initialTwin.tags'],
  [twin({ tags: { a: [1, null] } }), 'initialTwin.tags'],
  [twin({ tags: { a: [{ b: -(2 ** 53) }] } }), 'initialTwin.tags'],
  [twin({ tags: many(8 * 1024) }), 'initialTwin.tags'],
  [twin({ properties: { desired: many(32 * 1024) } }), 'initialTwin.properties.desired'],
  [twin({ properties: { desired: deep(11) } }), 'initialTwin.properties.desired'],
]

for (const [change, member] of wrong) {
  const shown = JSON.stringify(change)?.slice(0, 90)
  test(`${member} is named when it is wrong: ${shown}`, async () => {
    const body = { registrationId: 'wrong', attestation: symmetric, ...change }
    const answer = await call('PUT', '/enrollments/wrong', body)
    assert.equal(answer.status, 400, answer.text)
    const { errorCode, message, info } = answer.json()
    assert.equal(errorCode, 400004)
    assert.deepEqual(info, { member })
    assert.ok(String(message).includes(member === 'body' ? 'body' : member), String(message))
  })
}

for (const id of ['ends-with.', '.begins', 'bl ank', 'sl/ash', 'ü', text(129)]) {
  test(`${id.slice(0, 20)} is no registration ID and no enrollment group ID`, async () => {
    const path = encodeURIComponent(id)
    const individual = await call('PUT', `/enrollments/${path}`, { registrationId: id, attestation: symmetric })
    assert.deepEqual([individual.status, individual.json()['message']], [400, 'Invalid RegistrationId'])
    const group = await call('PUT', `/enrollmentGroups/${path}`, { enrollmentGroupId: id, attestation: symmetric })
    assert.deepEqual([group.status, group.json()['message']], [400, 'Invalid EnrollmentGroupId'])
  })
}

const notForGroups: Readonly<Record<string, unknown>> = {
  'attestation.type': { type: 'tpm', tpm: { endorsementKey: 'A' } },
  'attestation.x509.clientCertificates': { type: 'x509', x509: { clientCertificates: { primary: { certificate } } } },
}

for (const [member, attestation] of Object.entries(notForGroups)) {
  test(`${member} is refused in a group where it is for individual enrollments`, async () => {
    const answer = await call('PUT', '/enrollmentGroups/g', { enrollmentGroupId: 'g', attestation })
    assert.equal(answer.status, 400)
    assert.deepEqual(answer.json()['info'], { member })
  })
}

/** Everything that looks odd and is allowed. */
const right: readonly Record<string, unknown>[] = [
  { deviceId: "a-:.+%_#*?!(),=@;$'1", provisioningStatus: null, capabilities: null, initialTwin: null, iotHubs: [] },
  { allocationPolicy: 'static' },
  {
    allocationPolicy: 'hashed',
    customAllocationDefinition: { webhookUrl: 'https://a.example', apiVersion: '2019-03-31' },
  },
  { iotHubHostName: 'HUB-A.example.net', credentialPolicyName: 'c' },
  twin({ tags: {}, properties: { desired: { $version: 3, $metadata: { $lastUpdated: 'x' }, ...many(31 * 1024) } } }),
  twin({ tags: { n: null, list: [1, { a: [true] }], version: 'mine' }, properties: {} }),
  twin({ properties: { desired: deep(10) } }),
]

for (const [index, change] of right.entries()) {
  test(`what is odd and allowed is kept as it is: ${JSON.stringify(change).slice(0, 90)}`, async () => {
    const id = `right:${index}`
    const body = { registrationId: id, attestation: symmetric, ...change }
    const answer = await call('PUT', `/enrollments/${encodeURIComponent(id)}`, body)
    assert.equal(answer.status, 200, answer.text)
    const read = (await call('GET', `/enrollments/${encodeURIComponent(id)}`)).json()
    const { initialTwin, deviceId } = read
    const sent = change['initialTwin'] as Record<string, unknown> | null | undefined
    if (sent)
      assert.deepEqual(
        initialTwin,
        sent['properties'] && !('desired' in Object(sent['properties'])) ? { tags: sent['tags'] } : sent,
      )
    assert.equal(deviceId, change['deviceId'])
    assert.equal(read['provisioningStatus'], 'enabled')
  })
}

test('a quota that is reached reads 403 for one more, and not for replacing', async () => {
  const put = (id: string, ifMatch?: string) =>
    call('PUT', `/enrollments/${id}`, { registrationId: id, attestation: symmetric }, { 'if-match': ifMatch })
  assert.equal((await put('last')).status, 200)
  const answer = await put('one-more')
  assert.equal(answer.status, 403)
  assert.equal(answer.json()['errorCode'], 403201)
  assert.equal((await put('last', '*')).status, 200)
})

test('groups are counted by their attestation', async () => {
  const signing = { type: 'x509', x509: { signingCertificates: { primary: { certificate: root } } } }
  const put = (id: string, attestation: unknown, ifMatch?: string) =>
    call('PUT', `/enrollmentGroups/${id}`, { enrollmentGroupId: id, attestation }, { 'if-match': ifMatch })
  assert.equal((await put('s-1', symmetric)).status, 200)
  assert.equal((await put('s-2', symmetric)).status, 403)
  assert.equal((await put('x-1', signing)).status, 200)
  assert.equal((await put('x-1', symmetric, '*')).status, 403)
})

test('none of this was a fault of ours', () => assert.deepEqual(endpoint.faults, []))
