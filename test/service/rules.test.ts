import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createSelfSigned } from '../fixtures/certificates.ts'
import { openEndpoint } from './endpoint.ts'

const endpoint = await openEndpoint('127.50.8.1', {
  rules: { allowHttpWebhooks: true, allowSharedCertificates: true, limits: {} },
  acceptAnyApiVersion: false,
})
after(() => endpoint[Symbol.asyncDispose]())
const { call } = endpoint

test('where the deployment allows it, a webhook may be plain http, but nothing else', async () => {
  const put = (id: string, webhookUrl: string) =>
    call('PUT', `/enrollments/${id}`, {
      registrationId: id,
      attestation: { type: 'symmetricKey' },
      allocationPolicy: 'custom',
      customAllocationDefinition: { webhookUrl, apiVersion: '2018-09-01-preview' },
    })
  assert.equal((await put('http', 'http://a.example/')).status, 200)
  assert.equal((await put('file', 'file:///etc/passwd')).status, 400)
})

test('where the deployment allows it, two enrollments may hold one certificate', async () => {
  const { certificate } = await createSelfSigned('shared')
  const attestation = { type: 'x509', x509: { clientCertificates: { primary: { certificate } } } }
  for (const registrationId of ['one', 'two']) {
    assert.equal((await call('PUT', `/enrollments/${registrationId}`, { registrationId, attestation })).status, 200)
  }
})

test('where the deployment wants published api-versions only, others are refused', async () => {
  assert.equal((await call('GET', '/enrollments/one')).status, 200)
  const answer = await call('GET', '/enrollments/one?api-version=2031-01-01')
  assert.deepEqual([answer.status, answer.json()['errorCode']], [400, 400000])
})
