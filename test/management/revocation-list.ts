import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { inDays } from '../fixtures/certificates.ts'

/** Who signs a list. */
export interface Revoking {
  /** PEM. */
  readonly issuer: string
  readonly key: webcrypto.CryptoKey
}

/** A certificate revocation list with these serial numbers (hex), PEM. */
export async function createRevocationList(
  { issuer, key }: Revoking,
  serialNumbers: readonly string[],
  { thisUpdate = inDays(-0.1), nextUpdate = inDays(7) }: { thisUpdate?: Date; nextUpdate?: Date } = {},
): Promise<string> {
  const list = await x509.X509CrlGenerator.create(
    {
      issuer: new x509.X509Certificate(issuer).subject,
      thisUpdate,
      nextUpdate,
      signingKey: key,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      entries: serialNumbers.map((serialNumber) => {
        return { serialNumber, revocationDate: inDays(-1), reason: x509.X509CrlReason.keyCompromise }
      }),
    },
    webcrypto,
  )
  return list.toString('pem').trimEnd()
}
