import type { Enrollment } from '../model/enrollment.ts'
import { readCertificateFields } from '../wire/x509/certificate-fields.ts'
import { authorityOf } from '../wire/x509/path-rules.ts'
import type { Instance } from './instance.ts'

/**
 * What is wrong with an enrollment that was written all the same, each in a sentence that names the member: no device, or only
 * one of an old kind, will be let in by it.
 */
export async function warningsOf(
  { attestation }: Enrollment,
  { store, idScope }: Pick<Instance, 'store' | 'idScope'>,
): Promise<readonly string[]> {
  if (attestation.type !== 'x509' || attestation.of === 'clientCertificates') return []
  const warnings: string[] = []
  for (const slot of ['primary', 'secondary'] as const) {
    const place = `attestation.x509.${attestation.of}.${slot}`
    const named = attestation.of === 'caReferences' ? attestation[slot] : undefined
    const record =
      attestation.of === 'caReferences' ? named && (await store.caCertificates.get(idScope, named)) : attestation[slot]
    if (!record) continue
    const authority = authorityOf(readCertificateFields(Buffer.from(record.der, 'base64')))
    const which = named === undefined ? place : `${place} (${named})`
    if (authority === 'bare')
      warnings.push(`${which} has no basic constraints that say CA: it counts because it is enrolled`)
    else if (authority !== 'ca')
      warnings.push(`${which} cannot vouch for others, and lets no device in: ${authority.not}`)
    if (named !== undefined && 'isVerified' in record && !record.isVerified)
      warnings.push(`${which} lets no device in until possession of its key was proven`)
  }
  return warnings
}
