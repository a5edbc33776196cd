import type { DeviceId, Etag, RegistrationId } from './identifiers.ts'
import type { JsonObject } from '../base/json.ts'
import type { AllocationPolicyName } from './service.ts'
import type { Timestamp } from '../base/time.ts'

/** What an operator permits: one device, or every device that a group's credential vouches for. */
export type Enrollment = IndividualEnrollment | EnrollmentGroup

interface Entry {
  readonly attestation: AttestationMechanism
  readonly provisioningStatus: 'enabled' | 'disabled'
  readonly capabilities?: { readonly iotEdge: boolean } | undefined
  readonly initialTwin?: InitialTwin | undefined
  readonly reprovisionPolicy?: ReprovisionPolicy | undefined
  /** Absent: the service's policy applies. */
  readonly allocationPolicy?: AllocationPolicyName | undefined
  /** Host names; absent or empty: all linked hubs. */
  readonly iotHubs?: readonly string[] | undefined
  /** The older way to say static with one hub. [service-wire §9.2] */
  readonly iotHubHostName?: string | undefined
  /** What allocation policies keep in an enrollment, by the member that it stands in, such as `customAllocationDefinition`. */
  readonly definitions?: Readonly<Record<string, JsonObject>> | undefined
  /** Newer previews; stored and echoed. */
  readonly credentialPolicyName?: string | undefined
  readonly etag: Etag
  readonly createdDateTimeUtc: Timestamp
  readonly lastUpdatedDateTimeUtc: Timestamp
}

export interface IndividualEnrollment extends Entry {
  readonly kind: 'individual'
  readonly registrationId: RegistrationId
  readonly deviceId?: DeviceId | undefined
  readonly optionalDeviceInformation?: JsonObject | undefined
}

export interface EnrollmentGroup extends Entry {
  readonly kind: 'group'
  readonly enrollmentGroupId: string
}

/** The twin a device starts with. [service-wire §3.6] */
export interface InitialTwin {
  readonly tags?: JsonObject
  readonly properties?: { readonly desired?: JsonObject }
}

/** What happens when a device registers again. [service-wire §10.1] */
export interface ReprovisionPolicy {
  readonly updateHubAssignment: boolean
  readonly migrateDeviceData: boolean
}

/**
 * How a device of this enrollment proves who it is, with the stored half of the proof. `type` names the kind of attestation; what
 * else stands here, only that kind knows. What is secret of it is a `Secret`, and is kept as one.
 */
export interface AttestationMechanism {
  readonly type: string
  readonly [member: string]: unknown
}

/** A certificate held in an enrollment: the DER bytes in base64, and what clients are shown of it. */
export interface EnrolledCertificate {
  readonly der: string
  readonly info: CertificateInfo
}

/** All eight are always present: Java and C# fail on a missing one. [device-wire §1.5, service-wire §3.3] */
export interface CertificateInfo {
  readonly subjectName: string
  /** Upper-case hex. */
  readonly sha1Thumbprint: string
  /** Upper-case hex. */
  readonly sha256Thumbprint: string
  readonly issuerName: string
  readonly notBeforeUtc: string
  readonly notAfterUtc: string
  readonly serialNumber: string
  readonly version: number
}

/** The name under which operators know the enrollment: registration ID or enrollment group ID. */
export function enrollmentId(enrollment: Enrollment): string {
  return enrollment.kind === 'individual' ? enrollment.registrationId : enrollment.enrollmentGroupId
}
