import assert from 'node:assert/strict'
import type { X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import {
  basicConstraints,
  certificateOf,
  ecKey,
  extension,
  keyUsage,
  rsaKey,
  type CertificateDer,
} from '../../../test/fixtures/certificate-der.ts'
import { der, nameOf, oid, sequence, type Attribute } from '../../../test/fixtures/der.ts'
import { certificateFlaw, issuerFlaw, leafFlaw, type Flaw, type Leniency, type PathRules } from './path-rules.ts'

const [clientAuthentication, serverAuthentication] = ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1']
const day = (text: string) => Date.parse(`${text}T00:00:00Z`)
const rules: PathRules = { at: day('2026-01-01'), skew: 1000, purpose: clientAuthentication, admits: new Set() }
const ca = [basicConstraints(true), keyUsage('06')]
const purposes = (...dotted: string[]) => extension('2.5.29.37', sequence(...dotted.map(oid)))
const named = (name: string): readonly Attribute[] => [['2.5.4.3', name]]
const noWarning = (warning: string) => assert.fail(warning)

type Look = (said: CertificateDer, rules: PathRules, warn: (warning: string) => void) => Flaw | undefined
const certificate: Look = (said, ...rest) => certificateFlaw(certificateOf(said), ...rest)
const leaf: Look = (said, ...rest) => leafFlaw(certificateOf(said), ...rest)
const issuer =
  (role: 'intermediate' | 'anchor', below: readonly X509Certificate[] = [certificateOf({})]): Look =>
  (said, ...rest) =>
    issuerFlaw(certificateOf({ extensions: ca, ...said }), below, role, ...rest)

/** It passes without a warning, or is found to have this flaw. */
function expect(look: Look, said: CertificateDer, flaw?: readonly [kind: string, found: RegExp], by = rules): void {
  const found = look(said, by, noWarning)
  assert.equal(found?.kind, flaw?.[0], found?.found)
  if (flaw) assert.match(found!.found, flaw[1])
}

/** It passes, with one warning, only where this is admitted. */
function expectLenient(look: Look, said: CertificateDer, kind: string, leniency: Leniency, says: RegExp): void {
  const others = leniencies.filter((one) => one !== leniency)
  assert.equal(look(said, { ...rules, admits: new Set(others) }, noWarning)?.kind, kind)
  const warnings: string[] = []
  assert.equal(
    look(said, { ...rules, admits: new Set([leniency]) }, (warning) => warnings.push(warning)),
    undefined,
  )
  assert.equal(warnings.length, 1)
  assert.match(warnings[0]!, new RegExp(`^let through by ${leniency}: `))
  assert.match(warnings[0]!, says)
}
const leniencies: readonly Leniency[] = [
  'sha1-signatures',
  'rsa-1024',
  'ca-as-device',
  'issuer-purposes',
  'unknown-critical-extensions',
]

const everywhere: Readonly<Record<string, Look>> = {
  'a device': certificate,
  'an intermediate': issuer('intermediate'),
  'an anchor': issuer('anchor'),
}
for (const [role, look] of Object.entries(everywhere))
  describe(`the certificate of ${role}`, () => {
    test('is valid from its first to its last moment, give or take what clocks may differ', () => {
      const said = { notBefore: '250101000000Z', notAfter: '260101000000Z' }
      const at = (moment: number) => ({ ...rules, at: moment })
      const [first, last] = [day('2025-01-01'), day('2026-01-01')]
      expect(look, said, undefined, at(last + 1000))
      expect(look, said, ['expired', /expired on 2026-01-01T00:00:00\.000Z$/], at(last + 1001))
      expect(look, said, undefined, at(first - 1000))
      expect(look, said, ['not-yet-valid', /is valid from 2025-01-01T00:00:00\.000Z$/], at(first - 1001))
      expect(look, said, undefined, { ...rules, at: undefined })
    })

    test('has an RSA key of 2048 to 8192 bits, an exponent that is odd and from 3 to 2^32, or a curve of NIST', () => {
      const weak = (found: string) => ['weak-key', new RegExp(found)] as const
      for (const bits of [2048, 3072, 8192]) expect(look, { key: rsaKey(bits) })
      for (const bits of [512, 1023, 1024, 2047, 8193])
        expect(look, { key: rsaKey(bits) }, weak(`expected RSA of 2048 bits or more, .* found RSA of ${bits} bits$`))
      for (const exponent of ['03', '11', '010001', '00ffffffff']) expect(look, { key: rsaKey(2048, exponent) })
      for (const exponent of ['00', '01', '02', '04', '010000', '0100000000', '0100000001', '01'.repeat(20)])
        expect(look, { key: rsaKey(2048, exponent) }, weak('exponent that is not odd, or not from 3 to 2\\^32$'))
      for (const curve of ['1.2.840.10045.3.1.7', '1.3.132.0.34', '1.3.132.0.35']) expect(look, { key: ecKey(curve) })
      expect(look, { key: ecKey('1.3.132.0.10') }, weak('found the curve 1\\.3\\.132\\.0\\.10$'))
      expect(look, { key: sequence(sequence(oid('1.3.101.112')), der(0x03, '00')) }, weak('found Ed25519$'))
    })

    test('has, where rsa-1024 is admitted, an RSA key of 1024 bits at least, and no other weak one', () => {
      expectLenient(look, { key: rsaKey(1024) }, 'weak-key', 'rsa-1024', /its key is RSA of 1024 bits$/)
      expectLenient(look, { key: rsaKey(2047) }, 'weak-key', 'rsa-1024', /RSA of 2047 bits$/)
      const admitting = { ...rules, admits: new Set(leniencies) }
      for (const key of [rsaKey(1023), rsaKey(8193), rsaKey(1024, '01'), ecKey('1.3.132.0.10')])
        expect(look, { key }, ['weak-key', /./], admitting)
    })

    test('was signed with SHA-256 or better, or where that is admitted with SHA-1', () => {
      for (const algorithm of ['1.2.840.113549.1.1.11', '1.2.840.10045.4.3.3', '1.2.840.113549.1.1.13'])
        expect(look, { algorithm })
      const weak = (name: string) => ['weak-signature', new RegExp(`^\\S+ was signed with ${name}; expected `)] as const
      const sha1 = { algorithm: '1.2.840.113549.1.1.5' }
      expect(look, sha1, weak('sha1WithRSAEncryption'))
      expectLenient(look, sha1, 'weak-signature', 'sha1-signatures', /it was signed with sha1WithRSAEncryption$/)
      const admitting = { ...rules, admits: new Set(leniencies) }
      expect(look, { algorithm: '1.2.840.113549.1.1.4' }, weak('md5WithRSAEncryption'), admitting)
      expect(look, { algorithm: '1.3.101.112' }, weak('Ed25519'), admitting)
    })

    test('is for clients, for any purpose, or says nothing of it', () => {
      const of = (...more: Buffer[]) => ({ extensions: role === 'a device' ? more : [...ca, ...more] })
      expect(look, of())
      expect(look, of(purposes(serverAuthentication, clientAuthentication)))
      expect(look, of(purposes('2.5.29.37.0')))
      const wrong = [
        'wrong-purpose',
        /^\S+ has extended key usages, and client authentication is not among 1\.3\.6\.1\.5\.5\.7\.3\.1$/,
      ] as const
      expect(look, of(purposes(serverAuthentication)), wrong)
      const many = Array.from({ length: 20 }, (_, at) => `1.2.3.${at}`)
      expect(look, of(purposes(...many)), ['wrong-purpose', /1\.2\.3\.7$/])
    })

    test('is malformed where it cannot be read', () => {
      const said = { extensions: [extension('2.5.29.15', '0500')] }
      expect(look, said, ['malformed', /^a certificate cannot be read: the extension 2\.5\.29\.15 cannot be read/])
    })
  })

for (const [role, look] of Object.entries({ ...everywhere, 'a device': leaf }))
  test(`an extension that is critical and not known makes the certificate of ${role} invalid, unless that is admitted`, () => {
    const of = (...more: Buffer[]) => ({ extensions: role === 'a device' ? more : [...ca, ...more] })
    expect(look, of(extension('1.2.3.4', '0500')))
    const unknown = of(extension('1.2.3.4', '0500', true), extension('1.2.3.5', '0500', true))
    expect(look, unknown, ['unknown-critical-extension', /has the critical extension 1\.2\.3\.4, 1\.2\.3\.5, which is/])
    const leniency = 'unknown-critical-extensions'
    expectLenient(look, unknown, 'unknown-critical-extension', leniency, /extensions 1\.2\.3\.4, 1\.2\.3\.5$/)
    const many = of(...Array.from({ length: 20 }, (_, at) => extension(`1.2.3.${at}`, '0500', true)))
    expect(look, many, ['unknown-critical-extension', /1\.2\.3\.7, which/])
  })

test('the certificate of a device is none of a CA, and may sign', () => {
  for (const extensions of [[], [basicConstraints(false)], [keyUsage('80')], [keyUsage('08')], [keyUsage('88')]])
    expect(leaf, { extensions })
  const isCa = { extensions: ca }
  expect(leaf, isCa, ['device-is-ca', /^CN=device is the certificate of a CA, which issues/])
  expectLenient(leaf, isCa, 'device-is-ca', 'ca-as-device', /it is the certificate of a CA$/)
  for (const bits of ['20', '04', '06'])
    expect(leaf, { extensions: [keyUsage(bits)] }, ['wrong-key-usage', /has a key usage without digitalSignature/])
})

test('a purpose that an issuer does not have may be admitted, and a device’s may not', () => {
  const said = { extensions: [...ca, purposes(serverAuthentication)] }
  for (const role of ['intermediate', 'anchor'] as const)
    expectLenient(issuer(role), said, 'wrong-purpose', 'issuer-purposes', /client authentication is not among/)
  const admitting = { ...rules, admits: new Set(leniencies) }
  expect(certificate, { extensions: [purposes(serverAuthentication)] }, ['wrong-purpose', /./], admitting)
})

test('an issuer says that it is a CA and may sign certificates', () => {
  const not = (why: string) => ['issuer-not-ca', new RegExp(`is not a CA: ${why}$`)] as const
  for (const role of ['intermediate', 'anchor'] as const) {
    const look = issuer(role)
    expect(look, { extensions: [basicConstraints(true)] })
    expect(look, { extensions: [basicConstraints(true), keyUsage('04')] })
    expect(look, { extensions: [basicConstraints(false)] }, not('its basic constraints do not say CA'))
    expect(look, { extensions: [basicConstraints(false), keyUsage('04')] }, not('its basic constraints do not say CA'))
    const noSigner = 'its key usage has no keyCertSign'
    expect(look, { extensions: [keyUsage('02')] }, not(noSigner))
    const cannotSign = { extensions: [basicConstraints(true), keyUsage('82')] }
    expect(look, cannotSign, [
      'wrong-key-usage',
      new RegExp(`is a CA that issued the certificate below it but may not: ${noSigner}$`),
    ])
    expect(look, { extensions: [extension('2.5.29.17', sequence())] }, not('it has no basic constraints'))
  }
})

test('an anchor of the old kind, which says nothing of what it is for, counts with a warning; an intermediate does not', () => {
  const silent = ['2.5.29.14', '2.16.840.1.113730.1.13'].map((type) => extension(type, '0400'))
  const identifier = extension('2.5.29.35', sequence())
  for (const extensions of [[], silent, [...silent, identifier], [keyUsage('04')]]) {
    const warnings: string[] = []
    const warn = (warning: string) => warnings.push(warning)
    assert.equal(issuer('anchor')({ extensions }, rules, warn), undefined)
    assert.deepEqual(warnings, ['CN=device has no basic constraints that say CA; it counts because it was enrolled'])
    expect(issuer('intermediate'), { extensions }, ['issuer-not-ca', /is not a CA: it has no basic constraints$/])
  }
})

test('a path length counts the CAs between, without the device and without those that renew themselves', () => {
  const device = certificateOf({})
  const middle = certificateOf({ subject: named('middle'), extensions: ca })
  const renewed = certificateOf({ subject: named('middle'), issuer: named('middle'), extensions: ca })
  const allowing = (pathLength: number) => ({ extensions: [basicConstraints(true, pathLength)] })
  const tooLong = (most: number, found: number) =>
    ['path-length', new RegExp(`allows ${most} CAs below it by its path length; there are ${found}$`)] as const
  expect(issuer('anchor', [device]), allowing(0))
  expect(issuer('anchor', [device, middle]), allowing(0), tooLong(0, 1))
  expect(issuer('anchor', [device, middle]), allowing(1))
  expect(issuer('anchor', [device, middle, renewed]), allowing(1))
  expect(issuer('anchor', [device, middle, middle]), allowing(1), tooLong(1, 2))
  expect(issuer('anchor', [device, middle, middle]), {})
})

test('name constraints are for everything below, a device that issued itself too, but not for a CA that did', () => {
  const below = (name: string, self = false) =>
    certificateOf({ subject: named(name), issuer: named(self ? name : 'other'), extensions: ca })
  const constraints = der(0xa0, sequence(der(0xa4, nameOf(['2.5.4.3', 'plant']))))
  const said = { extensions: [...ca, extension('2.5.29.30', sequence(constraints), true)] }
  const forbids = (name: string) =>
    ['name-constraint', new RegExp(`has name constraints that forbid CN=${name} below it: the subject or`)] as const
  expect(issuer('anchor', [below('plant')]), said)
  expect(issuer('anchor', [below('elsewhere')]), said, forbids('elsewhere'))
  expect(issuer('anchor', [below('elsewhere', true)]), said, forbids('elsewhere'))
  expect(issuer('anchor', [below('plant'), below('elsewhere', true)]), said)
  expect(issuer('anchor', [below('plant'), below('elsewhere')]), said, forbids('elsewhere'))
})
