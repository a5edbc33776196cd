import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Json, JsonObject } from '../base/json.ts'
import { difference, mergeMetadata, mergePatch } from './merge-patch.ts'

test('patches merge as the examples of RFC 7396 do', () => {
  for (const [target, patch, result] of [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ] as const satisfies readonly (readonly [JsonObject, JsonObject, JsonObject])[]) {
    assert.deepEqual(mergePatch(target, patch), result)
  }
})

test('the difference of two documents, merged into the first, gives the second', () => {
  fc.assert(
    fc.property(document, document, (from, to) => {
      assert.deepEqual(mergePatch(from, difference(from, to)), to)
    }),
  )
})

test('metadata has the shape of the document, whatever was merged', () => {
  fc.assert(
    fc.property(fc.array(patch, { maxLength: 5 }), (patches) => {
      let merged: { properties: JsonObject; metadata: JsonObject } = { properties: {}, metadata: {} }
      for (const one of patches) {
        const metadata = mergeMetadata(merged.metadata, one, { $lastUpdated: 'now' })
        merged = { properties: mergePatch(merged.properties, one), metadata }
      }
      assert.deepEqual(shapeOf(merged.metadata), shapeOf(merged.properties))
    }),
  )
})

const name = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor')
const scalar = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.array(fc.integer(), { maxLength: 2 }))
const document = objectOf(scalar)
const patch = objectOf(fc.oneof(scalar, fc.constant(null)))

function objectOf(leaf: fc.Arbitrary<Json>): fc.Arbitrary<JsonObject> {
  const { object } = fc.letrec<{ object: JsonObject; value: Json }>((tie) => ({
    object: fc.array(fc.tuple(name, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    value: fc.oneof({ depthSize: 'small' }, leaf, tie('object')),
  }))
  return object
}

/** The names of objects within objects; what is not an object has none. */
function shapeOf(value: Json | undefined): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  const entries = Object.entries(value).filter(([member]) => !member.startsWith('$'))
  return Object.fromEntries(entries.map(([member, inner]) => [member, shapeOf(inner)]))
}
