import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSoftwareTpm } from '../tpm/software-tpm.ts'
import { tpmLibrary } from './debian-files.ts'
import { startResourceManager } from './resource-manager.ts'
import { openToken, type Token } from './token.ts'

/** A token whose keys are a TPM's: a fresh software TPM at this loopback address, behind its resource manager and tpm2-pkcs11. */
export async function openTpmToken(host: string): Promise<Token & AsyncDisposable> {
  await using opening = new AsyncDisposableStack()
  const tpm = opening.use(await startSoftwareTpm(host))
  const { tcti, environment } = opening.use(await startResourceManager(tpm.tcti))
  const folder = await mkdtemp(join(tmpdir(), 'tpm-token-'))
  opening.defer(() => rm(folder, { recursive: true }))
  const location = { ...environment, TPM2_PKCS11_TCTI: tcti, TPM2_PKCS11_STORE: folder, TPM2_PKCS11_LOG_LEVEL: '0' }
  const token = await openToken(tpmLibrary, folder, location)
  const opened = opening.move()
  return { ...token, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
