import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ensureNodeSdk } from '../../sdk/install.ts'

/** What a device does with its TPM, done by azure-iot-security-tpm on a real one. */
export interface TpmDevice extends Disposable {
  /** TPM2B_PUBLIC. */
  readonly endorsementKey: Buffer
  /** TPM2B_PUBLIC. */
  readonly storageRootKey: Buffer
  /** Take the wrapped key in; it replaces the one before. */
  readonly activate: (authenticationKey: Buffer) => Promise<void>
  /** Sign with the key that was taken in last. */
  readonly sign: (message: string) => Promise<Buffer>
}

type Callback<Result> = (error: Error | null, result?: Result) => void

/** The part of azure-iot-security-tpm and tss.js that is used here, as they are published. */
interface TpmSecurityClient {
  getEndorsementKey(callback: Callback<Buffer>): void
  getStorageRootKey(callback: Callback<Buffer>): void
  activateIdentityKey(blob: Buffer, callback: Callback<void>): void
  signWithIdentity(data: Buffer, callback: Callback<Buffer>): void
}
interface Tpm {
  close(): void
}

/** Open the TPM that speaks the simulator's protocol there. */
export async function openTpmDevice({ host, port }: { host: string; port: number }): Promise<TpmDevice> {
  const load = createRequire(join(await ensureNodeSdk(), 'package.json'))
  const tss = load('tss.js') as { Tpm: new (simulator: boolean, host: string, port: number) => Tpm }
  const sdk = load('azure-iot-security-tpm') as {
    TpmSecurityClient: new (registrationId: string, tpm: Tpm) => TpmSecurityClient
  }
  const tpm = new tss.Tpm(true, host, port)
  const client = new sdk.TpmSecurityClient('device', tpm)
  return {
    endorsementKey: await answer((callback) => client.getEndorsementKey(callback)),
    storageRootKey: await answer((callback) => client.getStorageRootKey(callback)),
    activate: promisify(client.activateIdentityKey.bind(client)),
    sign: (message) => answer((callback) => client.signWithIdentity(Buffer.from(message), callback)),
    [Symbol.dispose]: () => tpm.close(),
  }
}

function answer(ask: (callback: Callback<Buffer>) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    ask((error, result) => (error || !result ? reject(error ?? new Error('no answer')) : resolve(result)))
  })
}
