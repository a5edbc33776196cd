import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Secret } from '../model/secret.ts'

/**
 * What TPM nonces are derived from: made at the first start and kept in the data folder, so that a device that was challenged
 * before a restart is still believed after it.
 */
export function nonceSecret(folder: string): Secret {
  const file = join(folder, 'nonce-secret')
  if (!existsSync(file)) {
    // Whole or not at all: half a secret would be taken for one.
    writeFileSync(`${file}.partial`, randomBytes(32), { mode: 0o600 })
    renameSync(`${file}.partial`, file)
  }
  return new Secret(readFileSync(file))
}
