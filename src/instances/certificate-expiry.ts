import { heldCertificates } from '../attestation/x509-mechanism.ts'
import type { IdScope } from '../model/identifiers.ts'
import type { Reader } from '../store/store.ts'

/** How long a certificate that devices are judged by will last. */
export interface CertificateExpiry {
  readonly idScope: IdScope
  readonly instance: string
  /** The name of the CA certificate, or of the enrollment group that holds it. */
  readonly name: string
  readonly of: 'caCertificate' | 'enrollmentGroup'
  /** Milliseconds since 1970. */
  readonly expires: number
}

const day = 24 * 60 * 60 * 1000
/** Days before the end at which the operator is warned, the nearest last. */
const warnAt = [90, 30, 7, 0] as const

/** Every certificate above the devices of every instance, uploaded or held by a group, with the end of its life. */
export async function certificateExpiries(store: Reader): Promise<readonly CertificateExpiry[]> {
  const services = await store.services.all()
  const found = await Promise.all(
    services.map(async ({ idScope, name: instance }) => {
      const [certificates, groups] = await Promise.all([
        store.caCertificates.all(idScope),
        store.enrollmentGroups.withAttestation(idScope, 'x509'),
      ])
      const uploaded = certificates.map(({ name, info }): CertificateExpiry => {
        return { idScope, instance, name, of: 'caCertificate', expires: Date.parse(info.notAfterUtc) }
      })
      const held = groups.flatMap(({ enrollmentGroupId: name, attestation }): CertificateExpiry[] => {
        return heldCertificates(attestation).map(({ info }) => {
          return { idScope, instance, name, of: 'enrollmentGroup', expires: Date.parse(info.notAfterUtc) }
        })
      })
      return [...uploaded, ...held]
    }),
  )
  return found.flat()
}

/**
 * A watch that gives a sentence for each certificate when it comes to 90, 30 or 7 days before its end and when it has ended,
 * each once. `now` in milliseconds since 1970.
 */
export function expiryWatch(): (expiries: readonly CertificateExpiry[], now: number) => readonly string[] {
  const warned = new Map<string, number>()
  return (expiries, now) =>
    expiries.flatMap(({ idScope, instance, name, of, expires }) => {
      const days = (expires - now) / day
      const due = warnAt.findLast((threshold) => days <= threshold)
      const key = [idScope, of, name, expires].join('\0')
      if (due === undefined || (warned.get(key) ?? Infinity) <= due) return []
      warned.set(key, due)
      const what =
        of === 'caCertificate' ? `the CA certificate ${name}` : `a certificate of the enrollment group ${name}`
      const date = new Date(expires).toISOString().slice(0, 10)
      const when = days <= 0 ? `expired on ${date}` : `expires on ${date}, in ${Math.ceil(days)} days`
      return [`${instance}: ${what} ${when}: devices below it ${days <= 0 ? 'are' : 'will then be'} refused`]
    })
}
