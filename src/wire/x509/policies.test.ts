import assert from 'node:assert/strict'
import { test } from 'node:test'
import { certificateOf, extension } from '../../../test/fixtures/certificate-der.ts'
import { der, oid, sequence, type Attribute } from '../../../test/fixtures/der.ts'
import { readCertificateFields } from './certificate-fields.ts'
import { anyPolicy, noDemands, policyFlaw } from './policies.ts'

const named = (name: string): readonly Attribute[] => [['2.5.4.3', name]]
const fields = (extensions: readonly Buffer[], subject = 'device', issuer = 'issuer') =>
  readCertificateFields(certificateOf({ subject: named(subject), issuer: named(issuer), extensions }).raw)
const policies = (...dotted: string[]) => extension('2.5.29.32', sequence(...dotted.map((one) => sequence(oid(one)))))
const requires = (skip: number) => extension('2.5.29.36', sequence(der(0x80, Buffer.of(skip))))
const requiresUnmapped = extension('2.5.29.36', sequence('800100', '810100'))
const inhibitsAny = (skip: number) => extension('2.5.29.54', der(0x02, Buffer.of(skip)))
const maps = (from: string, to: string) => extension('2.5.29.33', sequence(sequence(oid(from), oid(to))))
const [one, two] = ['1.2.3.1', '1.2.3.2']
const required = /^a policy is required, and none is valid for the whole path$/

const silent = fields([])

test('the constraints of an anchor count from the certificate below it', () => {
  assert.equal(policyFlaw([silent], fields([])), undefined)
  assert.match(policyFlaw([silent], fields([requires(0)])) ?? '', required)
  assert.equal(policyFlaw([fields([policies(one)])], fields([requires(0)])), undefined)
  assert.equal(policyFlaw([silent], fields([requires(2)])), undefined)
  assert.match(policyFlaw([silent, silent], fields([requires(1)])) ?? '', required)
  const any = [fields([policies(anyPolicy)]), fields([policies(one)])]
  assert.equal(policyFlaw(any, fields([requires(0)])), undefined)
  assert.match(policyFlaw(any, fields([requires(0), inhibitsAny(0)])) ?? '', required)
  const mapped = [fields([policies(one), maps(one, two)]), fields([policies(two)])]
  assert.equal(policyFlaw(mapped, fields([requires(0)])), undefined)
  assert.match(policyFlaw(mapped, fields([requiresUnmapped])) ?? '', /^a policy is required/)
})

test('a device’s certificate may require a policy of its own path', () => {
  const says = /^a policy is required, and none that is valid for the whole path is acceptable$/
  assert.match(policyFlaw([fields([requires(0)])], silent) ?? '', says)
  assert.equal(policyFlaw([fields([requires(1)])], silent), undefined)
  assert.equal(policyFlaw([fields([requires(0), policies(one)])], silent), undefined)
  const demands = { ...noDemands, acceptable: [two] }
  assert.match(policyFlaw([fields([requires(0), policies(one)])], silent, demands) ?? '', says)
  assert.equal(policyFlaw([fields([requires(0), policies(one, two)])], silent, demands), undefined)
})

test('a CA maps no anyPolicy, in either place', () => {
  for (const mapping of [maps(anyPolicy, one), maps(one, anyPolicy)])
    assert.equal(policyFlaw([fields([policies(one), mapping]), silent], silent), 'a CA maps the policy anyPolicy')
})
