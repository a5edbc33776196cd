import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { patchFault, sizeFault } from '../../src/wire/twin-rules.ts'
import { readInitialTwin } from '../../src/enrollment/initial-twin.ts'
import { members } from '../../src/model/members.ts'
import type { Json, JsonObject } from '../../src/base/json.ts'
import { Refusal } from '../../src/model/refusal.ts'

const name = fc.oneof(
  { weight: 20, arbitrary: fc.string({ unit: fc.constantFrom('a', 'b', 'é', '-'), minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom('', 'a.b', 'a b', '$a', '\u0085', 'k'.repeat(1024), 'k'.repeat(1025)) },
)
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 12, depthIdentifier: 'twin' },
    fc.constantFrom<Json>(
      null,
      true,
      1.5,
      2 ** 52,
      -(2 ** 52) - 1,
      1e300,
      'x'.repeat(4096),
      'x'.repeat(4097),
      'é'.repeat(2049),
    ),
    fc.constantFrom<Json>(0, 'ü', 'x'.repeat(1500)),
    fc.array(tie('value'), { maxLength: 3, depthIdentifier: 'twin' }),
    fc.dictionary(name, tie('value'), { maxKeys: 4, depthIdentifier: 'twin' }),
  ),
}))
const nested = fc
  .tuple(fc.integer({ min: 0, max: 12 }), fc.boolean())
  .map(([levels, arrays]) =>
    Array.from({ length: levels }).reduce<Json>((inner) => (arrays ? [inner] : { a: inner }), 1),
  )
const section: fc.Arbitrary<JsonObject> = fc.dictionary(name, fc.oneof(value, nested), { maxKeys: 8 })

for (const part of ['tags', 'desired'] as const) {
  test(`an enrollment takes exactly the ${part} that the bundled hub takes`, () => {
    let taken = 0
    let refused = 0
    fc.assert(
      fc.property(section, (given) => {
        const sent = JSON.parse(JSON.stringify(given)) as JsonObject
        const fault = patchFault(part, sent) ?? sizeFault(part, sent)
        const initialTwin = part === 'tags' ? { tags: sent } : { properties: { desired: sent } }
        if (fault) {
          refused++
          assert.throws(() => readInitialTwin(members({ initialTwin })), Refusal, fault.message)
        } else {
          taken++
          assert.deepEqual(readInitialTwin(members({ initialTwin })), initialTwin)
        }
      }),
      { numRuns: 1500 },
    )
    assert.ok(taken > 100 && refused > 100, `${taken} taken, ${refused} refused`)
  })
}
