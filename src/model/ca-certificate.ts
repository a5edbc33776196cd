import type { EnrolledCertificate } from './enrollment.ts'
import type { Etag } from './identifiers.ts'
import type { Timestamp } from './timestamp.ts'

/** A CA certificate uploaded to the instance. Only a verified one admits devices. [service-wire §8.5] */
export interface CaCertificate extends EnrolledCertificate {
  readonly name: string
  readonly isVerified: boolean
  readonly etag: Etag
  readonly createdDateTimeUtc: Timestamp
  readonly lastUpdatedDateTimeUtc: Timestamp
}
