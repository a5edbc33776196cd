import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createRoot, createSelfSigned, cRLSign } from '../fixtures/certificates.ts'
import { newEtag } from '../../src/model/identifiers.ts'
import { readCertificateText } from '../../src/wire/certificate.ts'
import { openEndpoint } from './endpoint.ts'
import { asIdScope, asTimestamp } from '../fixtures/identifiers.ts'

const endpoint = await openEndpoint('127.50.9.1')
after(() => endpoint[Symbol.asyncDispose]())

const refused: readonly (readonly [what: string, certificate: string, says: RegExp])[] = [
  ['says CA: false', (await createSelfSigned('device')).certificate, /its basic constraints do not say CA/],
  ['may not sign certificates', (await createRoot('lists', { keyUsage: cRLSign })).certificate, /has no keyCertSign/],
]

for (const [what, certificate, says] of refused) {
  for (const slot of ['primary', 'secondary']) {
    test(`a ${slot} signing certificate that ${what} is refused, and its member named`, async () => {
      const primary = { certificate: (await createRoot('root')).certificate }
      const answer = await putGroup('refused', { primary, [slot]: { certificate } })
      assert.equal(answer.status, 400, answer.text)
      const member = `attestation.x509.signingCertificates.${slot}.certificate`
      assert.deepEqual(answer.json()['info'], { member })
      assert.match(String(answer.json()['message']), says)
    })
  }
}

test('a signing certificate without any extension is taken, as old tools make it', async () => {
  const { certificate } = await createRoot('old', { extensions: 'bare' })
  const answer = await putGroup('bare', { primary: { certificate } })
  assert.equal(answer.status, 200, answer.text)
  const warning = 'attestation.x509.signingCertificates.primary has no basic constraints that say CA'
  assert.ok(String(answer.headers['x-hubward-warning']).startsWith(warning))
  assert.ok(endpoint.notices.at(-1)?.includes(`an enrollment was written with a warning: ${warning}`))
})

test('a CA certificate is referred to with a warning if it may not sign, or while its key is not proven', async () => {
  await upload('sound', await createRoot('sound'), true)
  await upload('lists', await createRoot('lists', { keyUsage: cRLSign }), true)
  await upload('unproven', await createRoot('unproven'), false)
  const none = await putReference('sound')
  assert.equal(none.headers['x-hubward-warning'], undefined)
  for (const [name, says] of [
    ['lists', 'cannot vouch for others, and lets no device in: its key usage has no keyCertSign'],
    ['unproven', 'lets no device in until possession of its key was proven'],
  ] as const) {
    const answer = await putReference(name)
    assert.equal(answer.status, 200, answer.text)
    assert.equal(answer.headers['x-hubward-warning'], `attestation.x509.caReferences.primary (${name}) ${says}`)
  }
  const bulk = await endpoint.call('POST', '/enrollmentGroups', {
    mode: 'create',
    enrollmentGroups: [{ enrollmentGroupId: 'in-bulk', attestation: referring('lists') }],
  })
  assert.match(String(bulk.headers['x-hubward-warning']), /^in-bulk: .* has no keyCertSign$/)
})

/** As an older version let it be uploaded, or another node. */
async function upload(name: string, { certificate }: { certificate: string }, isVerified: boolean): Promise<void> {
  const record = readCertificateText(certificate)
  assert.ok(record)
  const [now, etag] = [asTimestamp('2026-01-01T00:00:00.0000000Z'), newEtag()]
  const dates = { createdDateTimeUtc: now, lastUpdatedDateTimeUtc: now }
  const { idScope, store } = endpoint
  await store.transact((write) =>
    write.caCertificates.put(asIdScope(idScope), { ...record, ...dates, name, isVerified, etag }),
  )
}

function referring(primary: string) {
  return { type: 'x509', x509: { caReferences: { primary } } }
}

function putReference(name: string) {
  const enrollmentGroupId = `refers-to-${name}`
  const attestation = referring(name)
  return endpoint.call('PUT', `/enrollmentGroups/${enrollmentGroupId}`, { enrollmentGroupId, attestation })
}

function putGroup(enrollmentGroupId: string, signingCertificates: object) {
  const attestation = { type: 'x509', x509: { signingCertificates } }
  return endpoint.call('PUT', `/enrollmentGroups/${enrollmentGroupId}`, { enrollmentGroupId, attestation })
}
