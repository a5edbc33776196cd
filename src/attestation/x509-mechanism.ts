import type { AttestationMechanism, EnrolledCertificate } from '../model/enrollment.ts'
import type { Members } from '../model/members.ts'
import type { IdScope } from '../model/identifiers.ts'
import type { Reader } from '../store/store.ts'
import { readCertificateText } from '../wire/certificate.ts'
import { readCertificateFields } from '../wire/x509/certificate-fields.ts'
import { authorityOf } from '../wire/x509/path-rules.ts'
import type { EnrollmentWords, MechanismContext } from './attestation-kind.ts'

/** `clientCertificates` are leaves; `signingCertificates` issue leaves; `caReferences` name uploaded CA certificates. */
export type X509Mechanism =
  | (AttestationMechanism & {
      readonly type: 'x509'
      readonly of: 'clientCertificates' | 'signingCertificates'
      readonly primary?: EnrolledCertificate
      readonly secondary?: EnrolledCertificate
    })
  | (AttestationMechanism & {
      readonly type: 'x509'
      readonly of: 'caReferences'
      readonly primary?: string
      readonly secondary?: string
    })

const kinds = ['clientCertificates', 'signingCertificates', 'caReferences'] as const
const slots = ['primary', 'secondary'] as const

/** How operators speak of certificates. [service-wire §3.3] */
export const x509Enrollment: EnrollmentWords<X509Mechanism> = {
  read: readMechanism,
  write: ({ of, primary, secondary }) => ({ [of]: { primary: slotJson(primary), secondary: slotJson(secondary) } }),
  queried: { clientCertificates: 'any', signingCertificates: 'any', caReferences: 'any' },
  certificates: (mechanism) =>
    mechanism.of === 'caReferences'
      ? {
          held: [],
          named: slots.flatMap((slot) => {
            const name = mechanism[slot]
            return name === undefined ? [] : [{ member: `x509.caReferences.${slot}`, name }]
          }),
        }
      : { held: heldCertificates(mechanism), named: [] },
  warnings: warningsOf,
  groups: { limit: 'x509Groups', called: 'X.509' },
}

/** The certificates that a mechanism holds, if it is of this kind. */
export function heldCertificates(mechanism: AttestationMechanism): readonly EnrolledCertificate[] {
  if (!isX509(mechanism) || mechanism.of === 'caReferences') return []
  return [mechanism.primary, mechanism.secondary].flatMap((slot) => slot ?? [])
}

/** Whether a mechanism is of this kind. */
export function isX509(mechanism: AttestationMechanism): mechanism is X509Mechanism {
  return mechanism.type === 'x509'
}

function readMechanism(attestation: Members, { kind, stored }: MechanismContext<X509Mechanism>): X509Mechanism {
  const x509 = attestation.object('x509')
  if (!x509) throw attestation.refusal('x509', 'is required')
  const given = kinds.filter((name) => x509.has(name))
  const [of] = given
  if (of === undefined) throw x509.refusal('', `needs one of ${kinds.join(', ')}`)
  if (given.length > 1) throw x509.refusal(given[1]!, `excludes ${of}`)
  if (of === (kind === 'group' ? 'clientCertificates' : 'signingCertificates')) {
    throw x509.refusal(of, `is not for ${kind === 'group' ? 'enrollment groups' : 'individual enrollments'}`)
  }
  const pair = x509.object(of)!
  if (!slots.some((slot) => pair.has(slot))) throw pair.refusal('primary', 'is required')
  if (of === 'caReferences') {
    const names = readSlots((slot) => pair.text(slot) || undefined)
    if (!names.primary && !names.secondary) throw pair.refusal('primary', 'is required')
    return { type: 'x509', of, ...names }
  }
  const kept = stored?.of === of ? heldCertificates(stored) : []
  const read = of === 'signingCertificates' ? readSigningSlot : readSlot
  return { type: 'x509', of, ...readSlots((slot) => read(pair.object(slot), kept)) }
}

function readSlots<T>(read: (slot: 'primary' | 'secondary') => T | undefined): { primary?: T; secondary?: T } {
  const [primary, secondary] = slots.map(read)
  return { ...(primary !== undefined && { primary }), ...(secondary !== undefined && { secondary }) }
}

/** A certificate that says of itself that it is no CA's could never vouch for a device. */
function readSigningSlot(
  entry: Members | undefined,
  kept: readonly EnrolledCertificate[],
): EnrolledCertificate | undefined {
  const certificate = readSlot(entry, kept)
  if (!certificate || kept.includes(certificate)) return certificate
  const authority = authorityOf(readCertificateFields(Buffer.from(certificate.der, 'base64')))
  if (typeof authority === 'object') throw entry!.refusal('certificate', `cannot vouch for others: ${authority.not}`)
  return certificate
}

function readSlot(entry: Members | undefined, kept: readonly EnrolledCertificate[]): EnrolledCertificate | undefined {
  if (!entry) return undefined
  const text = entry.text('certificate')
  if (text) {
    const certificate = readCertificateText(text)
    if (!certificate) throw entry.refusal('certificate', 'is not a certificate in PEM, base64 of DER or base64 of PEM')
    return certificate
  }
  const shown = entry.object('info')
  if (!shown) throw entry.refusal('certificate', 'is required')
  const sha256 = shown.text('sha256Thumbprint')?.toUpperCase()
  const sha1 = shown.text('sha1Thumbprint')?.toUpperCase()
  const found = kept.find(({ info }) =>
    sha256 ? info.sha256Thumbprint === sha256 : sha1 && info.sha1Thumbprint === sha1,
  )
  if (!found) throw entry.refusal('info', 'is not of a certificate that this enrollment holds; send the certificate')
  return found
}

function slotJson(slot: EnrolledCertificate | string | undefined) {
  return typeof slot === 'object' ? { info: { ...slot.info } } : slot
}

/**
 * What is wrong with an enrollment that was written all the same, each in a sentence that names the member: no device, or only
 * one of an old kind, will be let in by it.
 */
async function warningsOf(
  attestation: X509Mechanism,
  { store, idScope }: { readonly store: Reader; readonly idScope: IdScope },
): Promise<readonly string[]> {
  if (attestation.of === 'clientCertificates') return []
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
