import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expiryWatch } from './certificate-expiry.ts'
import { asIdScope } from '../../test/fixtures/identifiers.ts'

const day = 24 * 60 * 60 * 1000

test('a certificate is warned of at 90, 30 and 7 days and when it has expired, each once', () => {
  const watch = expiryWatch()
  const expiry = {
    idScope: asIdScope('0ne'),
    instance: 'plant',
    name: 'Root',
    of: 'caCertificate' as const,
    expires: 400 * day,
  }
  const days = [400, 91, 90, 89, 31, 30, 29, 7, 6, 0, -1]
  const warned = days.filter((left) => watch([expiry], expiry.expires - left * day).length > 0)
  assert.deepEqual(warned, [90, 30, 7, 0])
})

test('a certificate that is first seen late is warned of once, for the nearest date', () => {
  const watch = expiryWatch()
  const expiry = {
    idScope: asIdScope('0ne'),
    instance: 'plant',
    name: 'line',
    of: 'enrollmentGroup' as const,
    expires: 400 * day,
  }
  const now = expiry.expires - 5 * day
  const expected =
    'plant: a certificate of the enrollment group line expires on 1971-02-05, in 5 days: devices below it will then be refused'
  assert.deepEqual(watch([expiry], now), [expected])
  assert.deepEqual(watch([expiry], now + day), [])
})
