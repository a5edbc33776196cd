import type { X509Certificate } from 'node:crypto'
import { contentOf, DerMalformed, derTag, readDer, readSequence, type DerElement } from '../der.ts'
import { pointOfIssuer, readDirectoryName, readPointNames, readReasonFlags } from '../distribution-point.ts'
import { fieldsOf, type CertificateFields } from './certificate-fields.ts'
import { readName } from './name.ts'

/** Where a certificate says that lists speak of it. [RFC 5280 §4.2.1.13] */
export interface DistributionPoint {
  /** As `readPointNames` gives them. */
  readonly names: readonly string[]
  /** Absent: for every reason. */
  readonly reasons?: readonly string[]
  /** The key of the name of who issues the lists there, where it is not said to be the certificate's own issuer. */
  readonly listIssuer?: string
}

const mostPoints = 64

/** The points that the certificate names, and that of its issuer, which is always meant. Throws DerMalformed. [RFC 5280 §6.3.3] */
export function distributionPointsOf(certificate: X509Certificate): readonly DistributionPoint[] {
  const fields = fieldsOf(certificate)
  const { distributionPoints } = fields.extensions
  const points = distributionPoints ? readSequence(distributionPoints, 'the distribution points') : []
  if (points.length > mostPoints) throw new DerMalformed(`there are more than ${mostPoints} distribution points`)
  return [...points.map((point) => readPoint(point, fields)), { names: [pointOfIssuer(fields.issuer.content)] }]
}

function readPoint(element: DerElement, { issuer }: CertificateFields): DistributionPoint {
  const parts = readDer(contentOf(element, derTag.sequence, 'a distribution point'))
  const part = (tag: number) => parts.find((one) => one.tag === tag)?.content
  const [name, reasons, listIssuers] = [part(0xa0), part(0x81), part(0xa2)]
  const listIssuer = listIssuers && readDirectoryName(listIssuers)
  const namesIssuer = listIssuer ?? issuer.content
  return {
    // One that only names the issuer of its lists is meant by that name.
    names: name ? readPointNames(name, namesIssuer) : [pointOfIssuer(namesIssuer)],
    ...(reasons && { reasons: readReasonFlags(reasons) }),
    ...(listIssuer && { listIssuer: readName(listIssuer).key }),
  }
}
