import assert from 'node:assert/strict'
import { test } from 'node:test'
import { descriptorLimit, shareDescriptors } from './descriptors.ts'

const wanted = { devices: 15_000, management: 256 }

for (const [limit, shares] of [
  [undefined, { devices: 15_000, local: 16, management: 256 }],
  [1_048_576, { devices: 15_000, local: 16, management: 256 }],
  [4096, { devices: 4096 - 512 - 16 - 256, local: 16, management: 256 }],
  [300, { devices: 300 - 96 - 16 - 18, local: 16, management: 18 }],
  [64, { devices: 8, local: 16, management: 8 }],
] as const) {
  test(`of ${limit ?? 'any number of'} files, the service keeps some for itself`, () => {
    assert.deepEqual(shareDescriptors(limit, wanted), shares)
  })
}

test('the limit of this process is read', () => {
  const limit = descriptorLimit()
  assert.ok(process.platform === 'win32' ? limit === undefined : limit !== undefined && limit > 0)
})
