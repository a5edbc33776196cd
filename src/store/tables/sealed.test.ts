import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Secret } from '../../base/secret.ts'
import { seal, unseal } from './sealed.ts'

const name = fc.string({ unit: fc.constantFrom('a', 'B', '/', '~', '0', '1', '__proto__', 'é'), maxLength: 4 })
const secret = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => new Secret(bytes))
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    secret,
    fc.constantFrom<unknown>(null, true, 0, 'text', '[secret]'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4 }),
  ),
}))
const record = fc.dictionary(name, value, { maxKeys: 4 })

/** As JSON, with what is secret revealed. */
function revealed(of: unknown): unknown {
  if (of instanceof Secret) return { revealed: of.revealBase64() }
  if (Array.isArray(of)) return of.map(revealed)
  if (typeof of !== 'object' || of === null) return of
  return Object.entries(of).map(([member, inner]) => [member, revealed(inner)])
}

test('whatever is secret comes back where it stood, and the document does not say it', () => {
  fc.assert(
    fc.property(record, (given) => {
      const sealed = seal(given)
      assert.deepEqual(revealed(unseal({ ...sealed }, [])), revealed(given))
      assert.equal(sealed.document, JSON.stringify(given))
    }),
    { numRuns: 500 },
  )
})

test('a record without a secret has none stored', () => {
  assert.equal(seal({ keyName: '[secret]' }).secret, null)
  assert.deepEqual(unseal({ document: '{"keyName":"[secret]"}', secret: null }, ['/keyName']), { keyName: '[secret]' })
})

test('what 0.1.0 wrote has its secrets at the places it did not name', () => {
  const document = '{"hostName":"a.example","key":"[secret]","previousKey":"[secret]"}'
  const { key, previousKey } = unseal<{ key: Secret; previousKey: Secret }>({ document, secret: 'AQ== Ag==' }, [
    '/key',
    '/previousKey',
  ])
  assert.deepEqual([key.revealBase64(), previousKey.revealBase64()], ['AQ==', 'Ag=='])
})
