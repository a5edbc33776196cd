import type { X509Certificate } from 'node:crypto'
import type { CaCertificate } from '../model/ca-certificate.ts'
import type { EnrollmentGroup } from '../model/enrollment.ts'
import type { Reader } from '../store/store.ts'
import { bySubject, isReadable, type Anchor, type BySubject } from '../wire/x509/find-path.ts'
import { certificateOf } from '../wire/x509/known-certificates.ts'
import type { Presented } from './attestation.ts'
import { isX509, type X509Mechanism } from './x509-mechanism.ts'

/** The issuers that an instance knows of. */
export interface Known {
  /** Where a path to a group may end. */
  readonly groups: BySubject<Anchor<EnrollmentGroup>>
  /** What may stand between: uploaded, whether or not possession was proven. */
  readonly uploaded: BySubject<X509Certificate>
  /** Uploaded, and enrolled in groups. */
  readonly all: BySubject<X509Certificate>
  readonly caCertificates: readonly CaCertificate[]
}

/** What the instance that a device asks for knows; worked out once for each list of groups that the store remembers. */
export async function knownTo(store: Reader, { service }: Presented): Promise<Known> {
  const [groups, caCertificates] = await Promise.all([
    store.enrollmentGroups.withAttestation(service.idScope, 'x509'),
    store.caCertificates.all(service.idScope),
  ])
  const before = worked.get(groups)
  if (before?.caCertificates === caCertificates) return before
  const anchors = groups.flatMap((group) =>
    isX509(group.attestation) ? anchorsOf(group.attestation, caCertificates, group) : [],
  )
  const uploaded = caCertificates.map(toCertificate).filter(isReadable)
  const result = {
    groups: anchorsBySubject(anchors),
    uploaded: certificatesBySubject(uploaded),
    all: certificatesBySubject([...uploaded, ...anchors.map(({ certificate }) => certificate)]),
    caCertificates,
  }
  worked.set(groups, result)
  return result
}

const worked = new WeakMap<readonly EnrollmentGroup[], Known>()

/** A CA certificate that is referred to counts only once its possession was proven. [service-wire §8.5] */
export function anchorsOf<T>(mechanism: X509Mechanism, caCertificates: readonly CaCertificate[], of: T): Anchor<T>[] {
  const slots =
    mechanism.of === 'caReferences'
      ? [mechanism.primary, mechanism.secondary].flatMap((name) =>
          caCertificates.filter((ca) => ca.isVerified && ca.name.toLowerCase() === name?.toLowerCase()),
        )
      : [mechanism.primary, mechanism.secondary]
  const certificates = slots.flatMap((slot) => (slot ? [toCertificate(slot)] : []))
  // What older versions took and cannot be read by its DER vouches for nobody, and must not stand in the way of the others.
  return certificates.filter(isReadable).map((certificate) => ({ certificate, of }))
}

export function anchorsBySubject<T>(anchors: readonly Anchor<T>[]): BySubject<Anchor<T>> {
  return bySubject(anchors, ({ certificate }) => certificate)
}

/** Those that can be read, by the keys of their subjects. */
export function certificatesBySubject(certificates: readonly X509Certificate[]): BySubject<X509Certificate> {
  return bySubject(certificates.filter(isReadable), (certificate) => certificate)
}

/** Parsed certificates of stored records live as long as the records. */
const parsed = new WeakMap<{ readonly der: string }, X509Certificate>()

function toCertificate(record: { readonly der: string }): X509Certificate {
  let certificate = parsed.get(record)
  if (!certificate) parsed.set(record, (certificate = certificateOf(Buffer.from(record.der, 'base64'))))
  return certificate
}
