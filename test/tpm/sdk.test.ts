import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { authenticationKey } from '../../src/wire/tpm/authentication-key.ts'
import { parseStorageKey } from '../../src/wire/tpm/storage-key.ts'
import { startSoftwareTpm } from './software-tpm.ts'
import { openTpmDevice } from './tpm-device.ts'

test('the Node SDK activates a wrapped key in a real TPM and signs with it; the next key replaces it', async () => {
  await using software = await startSoftwareTpm('127.40.1.2')
  using device = await openTpmDevice(software)
  const endorsementKey = parseStorageKey(device.endorsementKey)
  const storageRootKey = parseStorageKey(device.storageRootKey)
  for (const length of [32, 64, 20]) {
    const key = randomBytes(length)
    await device.activate(authenticationKey({ endorsementKey, storageRootKey, key, uri: 'hub.example.net' }))
    const message = '0ne000A0B1C%2Fregistrations%2Fdev-01\n1900000000'
    assert.deepEqual(await device.sign(message), createHmac('sha256', key).update(message).digest())
  }
})
