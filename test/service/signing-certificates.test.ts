import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createRoot, createSelfSigned, cRLSign } from '../fixtures/certificates.ts'
import { openEndpoint } from './endpoint.ts'

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
})

function putGroup(enrollmentGroupId: string, signingCertificates: object) {
  const attestation = { type: 'x509', x509: { signingCertificates } }
  return endpoint.call('PUT', `/enrollmentGroups/${enrollmentGroupId}`, { enrollmentGroupId, attestation })
}
