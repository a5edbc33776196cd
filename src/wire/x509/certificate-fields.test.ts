import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRoot, createSelfSigned, criticalExtension } from '../../../test/fixtures/certificates.ts'
import { DerMalformed } from '../der.ts'
import { readCertificateFields } from './certificate-fields.ts'
import { forbiddenName } from './name-constraints.ts'
import { commonName } from './name.ts'
import { noDemands, policyFlaw } from './policies.ts'

const file = join(import.meta.dirname, '../../../test/vectors/pkits/certificates.json')
const vectors = Object.values(JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>)
const ders = vectors.map((text) => Buffer.from(text, 'base64'))

test('every certificate of NIST reads as OpenSSL reads it', () => {
  for (const der of ders) {
    const certificate = new X509Certificate(der)
    const fields = readCertificateFields(der)
    assert.equal(fields.notBefore, certificate.validFromDate.getTime())
    assert.equal(fields.notAfter, certificate.validToDate.getTime())
    const isNegative = fields.serialNumber[0]! >= 0x80
    if (!isNegative)
      assert.equal(BigInt(`0x${fields.serialNumber.toString('hex')}`), BigInt(`0x${certificate.serialNumber}`))
    const { basicConstraints, keyUsage } = fields.extensions
    // OpenSSL calls nothing a CA that may not sign certificates; here that is looked at apart.
    if (keyUsage?.keyCertSign ?? true) assert.equal(basicConstraints?.ca ?? false, certificate.ca)
    if (fields.key.type === 'rsa') {
      assert.equal(fields.key.bits, certificate.publicKey.asymmetricKeyDetails?.modulusLength)
    }
  }
})

test('whatever the bytes, reading ends in fields or in DerMalformed', () => {
  const anchor = readCertificateFields(ders[0]!)
  const changed = fc
    .tuple(fc.constantFrom(...ders), fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }))
    .map(([der, changes]) => {
      const copy = Buffer.from(der)
      for (const [at, byte] of changes) copy[at % copy.length] = byte
      return copy
    })
  const cut = fc.tuple(fc.constantFrom(...ders), fc.nat(1500)).map(([der, length]) => der.subarray(0, length))
  const anything = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
  let readable = 0
  fc.assert(
    fc.property(fc.oneof({ weight: 8, arbitrary: changed }, cut, anything), (der) => {
      try {
        const fields = readCertificateFields(der)
        if (fields.extensions.nameConstraints) forbiddenName(fields.extensions.nameConstraints, fields)
        policyFlaw([fields, fields], anchor, { ...noDemands, acceptable: ['1.2.3'] })
        readable++
      } catch (error) {
        if (!(error instanceof DerMalformed)) throw error
      }
    }),
    { numRuns: 5000 },
  )
  assert.ok(readable > 500, `${readable} of the changed ones could be read`)
})

test('a certificate of more than 64 KiB is not read', () => {
  assert.throws(() => readCertificateFields(Buffer.alloc(64 * 1024 + 1, 0x30)), DerMalformed)
})

const subjects: readonly (readonly [subject: string, name: string | undefined])[] = [
  ['CN=pump-17', 'pump-17'],
  ['CN=pump-17+OU=hall 3, O=Example', 'pump-17'],
  ['OU=hall 3+CN=pump-17', 'pump-17'],
  ['CN=first, O=Example, CN=last', 'last'],
  ['O=Example', undefined],
]

for (const [subject, name] of subjects) {
  test(`the common name of ${subject} is ${name ?? 'none'}`, async () => {
    const { certificate } = await createSelfSigned('', { subject })
    assert.equal(commonName(readCertificateFields(new X509Certificate(certificate).raw).subject), name)
  })
}

const wrong: readonly (readonly [what: string, type: string, hex: string])[] = [
  ['basic constraints with a negative path length', '2.5.29.19', '30060101ff0201ff'],
  ['a key usage that is no BIT STRING', '2.5.29.15', '0500'],
  ['name constraints with a distance', '2.5.29.30', '300ca00a30088203612e62800101'],
  ['policies that are no SEQUENCE', '2.5.29.32', '0500'],
  ['an extended key usage of numbers', '2.5.29.37', '3003020101'],
]

for (const [what, type, hex] of wrong) {
  test(`${what} make a certificate unreadable, and are named`, async () => {
    const { certificate } = await createSelfSigned('device', {
      extensions: [criticalExtension(type, hex)],
    })
    const { raw } = new X509Certificate(certificate)
    assert.throws(
      () => readCertificateFields(raw),
      (error) => error instanceof DerMalformed && /2\.5\.29\.\d+/.test(error.message),
    )
  })
}

test('the same extension twice makes a certificate unreadable', async () => {
  const twice = [criticalExtension('1.2.3.4', '0500'), criticalExtension('1.2.3.4', '0500')]
  const { certificate } = await createRoot('Root', { extensions: twice })
  assert.throws(() => readCertificateFields(new X509Certificate(certificate).raw), /1\.2\.3\.4 is there twice/)
})
