import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRoot, createSelfSigned, criticalExtension } from '../../../test/fixtures/certificates.ts'
import { certificateOf, extension } from '../../../test/fixtures/certificate-der.ts'
import { der, oid, sequence } from '../../../test/fixtures/der.ts'
import { DerMalformed, readDer } from '../der.ts'
import { readCertificateFields } from './certificate-fields.ts'
import { readExtensions } from './extensions.ts'
import { isReadable } from './find-path.ts'
import { hasUsableKey } from './known-certificates.ts'
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

test('a certificate of 64 KiB is read, and no larger one', () => {
  const of = (bytes: number) => certificateOf({ extensions: [extension('1.2.3', Buffer.alloc(bytes))] }).raw
  const most = 64 * 1024 - (of(60_000).length - 60_000)
  assert.equal(of(most).length, 64 * 1024)
  assert.deepEqual(readCertificateFields(of(most)).extensions.types, ['1.2.3'])
  assert.throws(() => readCertificateFields(of(most + 1)), /^DerMalformed: a certificate of more than 65536 bytes/)
})

test('a certificate says of which version it is, and one that does not is of the first', () => {
  const { raw } = certificateOf({})
  assert.equal(readCertificateFields(raw).version, 3)
  const [, ...fields] = readDer(readDer(readDer(raw)[0]!.content)[0]!.content)
  const rest = fields.map(({ tag, content }) => der(tag, content))
  const [, algorithm, signature] = readDer(readDer(raw)[0]!.content).map(({ tag, content }) => der(tag, content))
  assert.equal(readCertificateFields(sequence(sequence(...rest), algorithm!, signature!)).version, 1)
})

test('an extension has a type, a flag and a value and nothing else, and there are at most a hundred', () => {
  const of = (...extensions: Buffer[]) => readCertificateFields(certificateOf({ extensions }).raw).extensions
  const many = (count: number) => Array.from({ length: count }, (_, at) => extension(`1.2.3.${at}`, ''))
  assert.equal(of(...many(100)).types.length, 100)
  assert.throws(() => of(...many(101)), /^DerMalformed: there are more than 100 extensions/)
  const types = extension('1.2.3', '', true)
  assert.deepEqual(of(types).unknownCritical, ['1.2.3'])
  const wrong = [
    sequence(oid('1.2.3'), '0101ff', der(0x04, ''), '0500'),
    sequence(oid('1.2.3')),
    sequence(oid('1.2.3'), '0500'),
    sequence(der(0x04, ''), der(0x04, '')),
    sequence(oid('1.2.3'), '0102ffff', der(0x04, '')),
  ]
  for (const bytes of wrong) assert.throws(() => readExtensions(sequence(bytes)), DerMalformed, bytes.toString('hex'))
})

test('what extensions say is read by their types', () => {
  const read = (type: string, value: Buffer | string) => readExtensions(sequence(extension(type, value)))
  assert.deepEqual(read('2.5.29.14', '0402ab01').subjectKeyIdentifier, Buffer.from('ab01', 'hex'))
  assert.deepEqual(read('2.5.29.35', sequence('8002ab01')).authorityKeyIdentifier, Buffer.from('ab01', 'hex'))
  assert.equal(read('2.5.29.35', sequence('820101')).authorityKeyIdentifier, undefined)
  const usages = ['digitalSignature', 'keyAgreement', 'keyCertSign', 'cRLSign'] as const
  for (const [at, bits] of ['80', '08', '04', '02'].entries())
    assert.deepEqual(
      read('2.5.29.15', der(0x03, '00', bits)).keyUsage,
      Object.fromEntries(usages.map((usage, index) => [usage, index === at])),
    )
  assert.equal(read('2.5.29.15', der(0x03, '00')).keyUsage?.keyCertSign, false)
  assert.deepEqual(read('2.5.29.19', sequence()).basicConstraints, { ca: false })
  assert.deepEqual(read('2.5.29.19', sequence('010100')).basicConstraints, { ca: false })
  assert.deepEqual(read('2.5.29.19', sequence('0101ff', '020107')).basicConstraints, { ca: true, pathLength: 7 })
  assert.equal(read('2.5.29.19', sequence('0101ff', der(0x02, '0100000000'))).basicConstraints?.pathLength, Infinity)
  for (const value of [
    sequence('0101ff', '020107', '020107'),
    sequence('0101ff', '0a0107'),
    sequence('0101ff', '0200'),
  ])
    assert.throws(() => read('2.5.29.19', value), DerMalformed)
  assert.deepEqual(read('2.5.29.32', sequence(sequence(oid('1.2.3'), sequence()))).policies, ['1.2.3'])
  assert.deepEqual(read('2.5.29.33', sequence(sequence(oid('1.2.3'), oid('1.2.4')))).policyMappings, [
    ['1.2.3', '1.2.4'],
  ])
  assert.deepEqual(read('2.5.29.36', sequence('800101')).policyConstraints, { requireExplicitPolicy: 1 })
  assert.deepEqual(read('2.5.29.36', sequence('810102')).policyConstraints, { inhibitPolicyMapping: 2 })
  assert.equal(read('2.5.29.54', '020103').inhibitAnyPolicy, 3)
  assert.deepEqual(read('2.5.29.37', sequence(oid('1.2.3'), oid('1.2.4'))).extendedKeyUsage, ['1.2.3', '1.2.4'])
  assert.deepEqual(read('2.5.29.31', '0500').unknownCritical, [])
})

test('a certificate whose key or content cannot be read is told apart', async () => {
  assert.equal(hasUsableKey(certificateOf({})), false)
  assert.equal(hasUsableKey(new X509Certificate((await createRoot('Root')).certificate)), true)
  assert.equal(isReadable(certificateOf({})), true)
  assert.equal(isReadable(certificateOf({ extensions: [extension('2.5.29.15', '0500')] })), false)
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
