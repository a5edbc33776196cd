import type { EnrolledCertificate } from './enrollment.ts'
import type { Etag } from './identifiers.ts'
import type { Timestamp } from '../base/time.ts'

/** A CA certificate uploaded to the instance. Only a verified one admits devices. [service-wire §8.5] */
export interface CaCertificate extends EnrolledCertificate {
  readonly name: string
  readonly isVerified: boolean
  /** What a leaf must be named to prove possession of the CA's key; good once, until it expires. */
  readonly verification?: { readonly code: string; readonly expiresDateTimeUtc: Timestamp }
  readonly etag: Etag
  readonly createdDateTimeUtc: Timestamp
  readonly lastUpdatedDateTimeUtc: Timestamp
}
