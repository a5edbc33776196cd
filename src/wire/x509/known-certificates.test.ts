import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { createSelfSigned } from '../../../test/fixtures/certificates.ts'
import { certificateOf, rememberIssuers } from './known-certificates.ts'

const { certificate } = await createSelfSigned('issuer')
const issuer = new X509Certificate(certificate)
const again = () => certificateOf(Buffer.from(issuer.raw))

test('issuers are parsed once for all who present them, and no more of them are remembered than are bounded', () => {
  assert.notEqual(again(), issuer)
  rememberIssuers([issuer])
  assert.equal(again(), issuer)
  // Nothing but their bytes is looked at.
  rememberIssuers(Array.from({ length: 600 }, (_, at) => ({ raw: Buffer.from(`${at}`) }) as X509Certificate))
  assert.notEqual(again(), issuer)
})
