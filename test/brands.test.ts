import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..')

/** Every branded type, and the only files of `src` that make one: its parser, its stage, or what reads it back from the store. */
const makers: Readonly<Record<string, readonly string[]>> = {
  IdScope: ['decisions/share.ts', 'model/identifiers.ts', 'store/tables/decisions.ts'],
  RegistrationId: [],
  DeviceId: ['model/identifiers.ts'],
  OperationId: ['model/identifiers.ts'],
  Etag: ['model/identifiers.ts'],
  Timestamp: ['base/time.ts'],
  Presented: ['registration/admit.ts'],
  Attested: ['attestation/attest.ts'],
  Allocated: ['registration/plan.ts'],
  Provisioned: ['registration/applying.ts'],
}

test('what only a parser or a stage returns is made nowhere else', () => {
  const files = globSync('src/**/*.ts', { cwd: root })
    .filter((file) => !file.endsWith('.test.ts'))
    .sort()
  const texts = files.map((file) => ({ file: file.slice('src/'.length), text: readFileSync(join(root, file), 'utf8') }))
  const found = Object.fromEntries(
    Object.keys(makers).map((brand) => {
      const made = new RegExp(String.raw`\b(?:as|satisfies) (?:unknown as )?${brand}\b`)
      return [brand, texts.filter(({ text }) => made.test(text)).map(({ file }) => file)]
    }),
  )
  assert.deepEqual(found, makers)
})

test('every branded type is in the list', () => {
  const declared = globSync('src/**/*.ts', { cwd: root }).flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8')
    return [...text.matchAll(/export (?:type|interface) (\w+)\b[^\n]*\bBrand<'/g)].map(([, name]) => name!)
  })
  assert.deepEqual(declared.sort(), Object.keys(makers).sort())
})
