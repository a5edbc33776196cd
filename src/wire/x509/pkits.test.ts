import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { bySubject, findPath, isReadable } from './find-path.ts'
import { certificateFlaw, leafFlaw, type PathRules } from './path-rules.ts'
import { anyPolicy, type PolicyDemands } from './policies.ts'

interface Vector extends Partial<Omit<PolicyDemands, 'acceptable'>> {
  readonly name: string
  /** The anchor first. */
  readonly path: readonly string[]
  readonly valid: boolean
  readonly acceptable?: readonly string[]
}

/** What DSA signed is refused, as everything is that is neither RSA nor ECDSA. */
const dsa = ['4.1.4', '4.1.5']
/** These are about revocation lists; the two tests for keys that may not sign lists. */
const onLists = ['4.4', '4.5', '4.14', '4.15', '4.7.4', '4.7.5']

const vectors = vectorFile('vectors.json') as readonly Vector[]
const certificates = vectorFile('certificates.json') as Readonly<Record<string, string>>
const counts = new Map<string, { tests: number; as: number }>()

describe('NIST PKITS', () => {
  for (const vector of vectors) {
    const [number = ''] = vector.name.split(' ')
    const section = number.split('.').slice(0, 2).join('.')
    if (onLists.includes(section) || onLists.includes(number)) continue
    const expected = vector.valid && !dsa.includes(number)
    test(`${vector.name}: ${expected ? 'valid' : 'refused'}`, () => {
      const count = counts.get(section) ?? { tests: 0, as: 0 }
      counts.set(section, { ...count, tests: count.tests + 1 })
      assert.equal(validate(vector), expected ? 'valid' : 'refused')
      counts.set(section, { tests: count.tests + 1, as: count.as + 1 })
    })
  }
})

after(() => {
  const told = [...counts].map(([section, { tests, as }]) => `${section}: ${as}/${tests}`)
  process.stdout.write(`PKITS as they should be: ${told.join(', ')}\n`)
})

test('every section on paths is there', () => {
  assert.deepEqual(
    [...counts].map(([section, { tests }]) => [section, tests]),
    [
      ['4.1', 6],
      ['4.2', 8],
      ['4.3', 11],
      ['4.6', 17],
      ['4.7', 3],
      ['4.8', 35],
      ['4.9', 8],
      ['4.10', 23],
      ['4.11', 11],
      ['4.12', 11],
      ['4.13', 38],
      ['4.16', 2],
    ],
  )
})

function validate(vector: Vector): string {
  const [anchor, ...below] = vector.path.map((name) => new X509Certificate(Buffer.from(certificates[name]!, 'base64')))
  const [leaf, ...intermediates] = below.toReversed()
  const rules = rulesOf(vector)
  const flaw = certificateFlaw(leaf!, rules, ignore) ?? leafFlaw(leaf!, rules, ignore)
  if (flaw) return 'refused'
  assert.ok(isReadable(anchor!))
  const anchors = bySubject([{ certificate: anchor!, of: undefined }], ({ certificate }) => certificate)
  const search = findPath(leaf!, anchors, intermediates.toReversed(), new Map(), rules)
  return 'path' in search ? 'valid' : 'refused'
}

function rulesOf({ acceptable, ...vector }: Vector): PathRules {
  return {
    at: Date.UTC(2026, 0, 1),
    skew: 0,
    purpose: '1.3.6.1.5.5.7.3.2',
    // Some of the paths end at a CA, which RFC 5280 does not mind.
    admits: new Set(['ca-as-device']),
    policies: {
      acceptable: acceptable?.map(policyOf) ?? [anyPolicy],
      requireExplicitPolicy: vector.requireExplicitPolicy ?? false,
      inhibitPolicyMapping: vector.inhibitPolicyMapping ?? false,
      inhibitAnyPolicy: vector.inhibitAnyPolicy ?? false,
    },
  }
}

/** `NIST-test-policy-1` and its like. */
function policyOf(name: string): string {
  return `2.16.840.1.101.3.2.1.48.${name.split('-').at(-1)}`
}

function vectorFile(name: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../../../test/vectors/pkits', name), 'utf8'))
}

function ignore(): void {}
