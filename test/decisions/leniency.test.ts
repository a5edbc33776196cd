import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createRoot, type CertificateOptions } from '../fixtures/certificates.ts'
import { openControlPlane } from '../management/control-plane.ts'
import { decisionOf, enrollIssuer, register, withCertificate, type World } from './world.ts'

const admitted = 'sha1-signatures,rsa-1024,ca-as-device,issuer-purposes,unknown-critical-extensions'
const plane = await openControlPlane('127.90.7', ['--certificate-leniency', admitted])
after(() => plane[Symbol.asyncDispose]())
const world: World = {
  plane,
  service: plane.service,
  instance: 'hubward',
  serverAt: () => assert.fail('no hub is needed'),
}

const odd: readonly (readonly [
  what: string,
  intermediate: CertificateOptions,
  leaf: CertificateOptions,
  says: RegExp,
])[] = [
  ['SHA-1', { hash: 'SHA-1' }, {}, /let through by sha1-signatures: it was signed with ecdsa-with-SHA1/],
  ['RSA of 1024 bits', { algorithm: 'rsa-1024' }, {}, /let through by rsa-1024: its key is RSA of 1024 bits/],
  ['a CA as the device', {}, { ca: true }, /let through by ca-as-device/],
]

for (const [index, [what, intermediate, leaf, says]] of odd.entries()) {
  test(`${what} is let through where the operator says so, and every record tells`, async () => {
    const id = `lenient-${index}`
    const root = await createRoot(`Root of ${id}`)
    await enrollIssuer(world, id, root.certificate)
    const authority = await root.issueAuthority(`Intermediate of ${id}`, intermediate)
    const { chain, key } = await authority.issueLeaf(id, leaf)
    const presented = { ...withCertificate({ certificate: chain, key }), ciphers: 'DEFAULT@SECLEVEL=0' }
    const answer = await register(world, id, presented)
    assert.equal(answer.status, 202, answer.text)
    const { outcome, findings } = await decisionOf(world, id)
    assert.equal(outcome, 'assigned')
    const warnings = findings.filter(({ step }) => step === 'warning').map(({ found }) => String(found))
    assert.match(warnings.join(), says)
  })
}
