import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { ensureNodeSdk } from '../../sdk/install.ts'
import { authenticationKey } from '../../src/wire/tpm/authentication-key.ts'
import { parseStorageKey, type StorageKey } from '../../src/wire/tpm/storage-key.ts'
import { startSoftwareTpm, type SoftwareTpm } from './software-tpm.ts'

type Callback<Result> = (error: Error | null, result?: Result) => void

/** The part of azure-iot-security-tpm and tss.js that a device uses, as they are published. */
interface TpmSecurityClient {
  getEndorsementKey(callback: Callback<Buffer>): void
  getStorageRootKey(callback: Callback<Buffer>): void
  activateIdentityKey(blob: Buffer, callback: Callback<void>): void
  signWithIdentity(data: Buffer, callback: Callback<Buffer>): void
}
interface Tpm {
  close(): void
}

let software: SoftwareTpm
let chip: Tpm
let device: TpmSecurityClient
let endorsementKey: StorageKey
let storageRootKey: StorageKey

before(async () => {
  const [tpm, sdk] = await Promise.all([startSoftwareTpm('127.40.1.2'), ensureNodeSdk()])
  software = tpm
  const sdkRequire = createRequire(join(sdk, 'package.json'))
  const tss = sdkRequire('tss.js') as { Tpm: new (simulator: boolean, host: string, port: number) => Tpm }
  const security = sdkRequire('azure-iot-security-tpm') as {
    TpmSecurityClient: new (registrationId: string, tpm: Tpm) => TpmSecurityClient
  }
  chip = new tss.Tpm(true, tpm.host, tpm.port)
  device = new security.TpmSecurityClient('dev-01', chip)
  endorsementKey = parseStorageKey(await answer((callback) => device.getEndorsementKey(callback)))
  storageRootKey = parseStorageKey(await answer((callback) => device.getStorageRootKey(callback)))
})

after(async () => {
  chip.close()
  await software[Symbol.asyncDispose]()
})

test('the Node SDK activates a wrapped key in a real TPM and signs with it; the next key replaces it', async () => {
  for (const length of [32, 64, 20]) {
    const key = randomBytes(length)
    const blob = authenticationKey({ endorsementKey, storageRootKey, key, uri: 'hub.example.net' })
    await promisify(device.activateIdentityKey.bind(device))(blob)
    const message = Buffer.from('0ne000A0B1C%2Fregistrations%2Fdev-01\n1900000000')
    const signature = await answer((callback) => device.signWithIdentity(message, callback))
    assert.deepEqual(signature, createHmac('sha256', key).update(message).digest())
  }
})

function answer(ask: (callback: Callback<Buffer>) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    ask((error, result) => (error || !result ? reject(error ?? new Error('no answer')) : resolve(result)))
  })
}
