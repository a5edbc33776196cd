import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { softHsmLibrary } from './debian-files.ts'
import { openToken, type Token } from './token.ts'

/** A fresh token of SoftHSM 2, a hardware security module in software; it is destroyed with the disposal. */
export async function openSoftHsm(): Promise<Token & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'soft-hsm-'))
  const tokens = join(folder, 'tokens')
  await mkdir(tokens)
  const configuration = join(folder, 'softhsm2.conf')
  await writeFile(configuration, `directories.tokendir = ${tokens}\nlog.level = ERROR\n`)
  return {
    ...(await openToken(softHsmLibrary, folder, { SOFTHSM2_CONF: configuration })),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}
