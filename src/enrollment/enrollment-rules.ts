/** What a deployment decides about enrollments. */
export interface EnrollmentRules {
  /** Let `customAllocationDefinition.webhookUrl` be plain http. */
  readonly allowHttpWebhooks: boolean
  /** Let one certificate be held by several enrollments, as the cloud service was seen to. [service-wire §16.6] */
  readonly allowSharedCertificates: boolean
  /** Refuse a query that is not understood, instead of listing everything as the cloud service was seen to do. */
  readonly refuseUnknownQueries?: boolean
  /** Absent: no limit. [service-wire §14.1] */
  readonly limits: {
    readonly individualEnrollments?: number
    readonly x509Groups?: number
    readonly symmetricKeyGroups?: number
  }
}

/** No limits, https only, one enrollment for a certificate. */
export const ordinaryRules: EnrollmentRules = {
  allowHttpWebhooks: false,
  allowSharedCertificates: false,
  limits: {},
}
