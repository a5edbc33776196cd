/**
 * Every reason for which Hubward says no, and how each is spelled on the wire: `[errorCode, message]`. The HTTP status (and
 * MQTT topic status) is the error code divided by 1000; AMQP derives its condition from that. [device-wire §1.6, service-wire §7]
 *
 * The device sees only this row. What was expected and what was found is the refusal's `detail`, for the operator.
 */
export const refusals = {
  // The request itself.
  BodyMalformed: [400000, 'The request body is not a JSON object.'],
  ApiVersionMissing: [400000, 'The api-version query parameter is missing or invalid.'],
  QueryMalformed: [400000, 'Bad Request'],
  ContinuationInvalid: [400000, 'Bad Request'],
  RegistrationIdMismatch: [400000, 'The registration ID in the body differs from that of the request.'],
  RegistrationIdInvalid: [400004, 'Invalid RegistrationId'],
  MemberInvalid: [400004, 'A member of the request is invalid.'],
  AttestationUnavailable: [400000, 'This attestation is not available over this protocol.'],
  PathUnknown: [404000, 'The resource does not exist.'],
  MethodNotAllowed: [405000, 'The method is not allowed on this resource.'],
  BodyTooLarge: [413000, 'The request body is too large.'],
  MediaTypeUnsupported: [415000, 'The content type must be application/json.'],

  // Before a request could be read: the message says what the client is told in its protocol's own words.
  TlsMissing: [400000, 'Nothing: the connection is ended.'],
  TlsHandshakeFailed: [400000, 'Nothing but a TLS alert.'],
  TlsServerNotTrusted: [400000, 'Nothing: it ended the connection itself.'],
  HttpMalformed: [400000, 'HTTP 400, 408 or 431, without a body.'],
  WebSocketInvalid: [400000, 'HTTP 400, or the end of the connection.'],
  MqttVersionUnsupported: [400000, 'CONNACK 1, unacceptable protocol version.'],
  MqttMalformed: [400000, 'Nothing: the connection is ended.'],
  MqttTopicUnknown: [404000, 'SUBACK 0x80, or the end of the connection.'],
  MqttNotSubscribed: [400000, 'Nothing: it has not subscribed to answers.'],
  AmqpVersionUnsupported: [400000, 'The protocol header of AMQP 1.0, and the end of the connection.'],
  AmqpMalformed: [400000, 'CLOSE with a condition, or the end of the connection.'],

  // Who is asking: devices.
  IdScopeUnknown: [401002, 'Unauthorized'],
  CredentialMissing: [401002, 'Unauthorized'],
  TokenMalformed: [401002, 'Unauthorized'],
  TokenExpired: [401002, 'Unauthorized'],
  TokenForAnotherResource: [401002, 'Unauthorized'],
  TokenKeyNameInvalid: [401002, 'Unauthorized'],
  TokenSignatureInvalid: [401002, 'Unauthorized'],
  TokenSignedWithGroupKey: [401002, 'Unauthorized'],
  EnrollmentNotFound: [401002, 'Unauthorized'],
  AttestationTypeMismatch: [401002, 'Unauthorized'],
  MqttUserNameInvalid: [401002, 'Unauthorized'],
  MqttClientIdMismatch: [401002, 'Unauthorized'],
  SaslResponseInvalid: [401002, 'Unauthorized'],
  CertificateMissing: [401002, 'Invalid certificate.'],
  CertificateMalformed: [401002, 'Invalid certificate.'],
  CertificateCommonNameMissing: [401002, 'Invalid certificate.'],
  CertificateCommonNameMismatch: [401002, 'Invalid certificate.'],
  CertificateNotEnrolled: [401002, 'Invalid certificate.'],
  CertificateExpired: [401002, 'Invalid certificate.'],
  CertificateNotYetValid: [401002, 'Invalid certificate.'],
  CertificatePurposeInvalid: [401002, 'Invalid certificate.'],
  CertificateKeyTooWeak: [401002, 'Invalid certificate.'],
  CertificateSignatureTooWeak: [401002, 'Invalid certificate.'],
  CertificateKeyUsageInvalid: [401002, 'Invalid certificate.'],
  CertificateExtensionUnknown: [401002, 'Invalid certificate.'],
  CertificateIsCa: [401002, 'Invalid certificate.'],
  ChainTooLong: [401002, 'Invalid certificate.'],
  ChainSignatureInvalid: [401002, 'Invalid certificate.'],
  ChainNotAnchored: [401002, 'Invalid certificate.'],
  ChainRootUnknown: [401002, 'Invalid certificate.'],
  CaCertificateNotVerified: [401002, 'Invalid certificate.'],
  CaCertificateNotReferenced: [401002, 'Invalid certificate.'],
  ChainIssuerNotCa: [401002, 'Invalid certificate.'],
  ChainPathLengthExceeded: [401002, 'Invalid certificate.'],
  ChainNameForbidden: [401002, 'Invalid certificate.'],
  ChainPolicyInvalid: [401002, 'Invalid certificate.'],
  RegistrationRevoked: [401002, 'Unauthorized'],
  CertificateRevoked: [401002, 'Invalid certificate.'],
  CertificateRevocationUnknown: [401002, 'Invalid certificate.'],
  EndorsementKeyRevoked: [401002, 'Unauthorized'],
  EndorsementKeyMalformed: [400004, 'The endorsement key is not a usable TPM2B_PUBLIC.'],
  StorageRootKeyMalformed: [400004, 'The storage root key is not a usable TPM2B_PUBLIC.'],
  EndorsementKeyMismatch: [404201, 'Enrollment not found.'],
  TpmEnrollmentNotFound: [404201, 'Enrollment not found.'],
  NonceInvalid: [401002, 'Unauthorized'],

  // Who is asking: operators.
  ServiceTokenMissing: [401002, 'Unauthorized'],
  ServiceTokenMalformed: [401002, 'Unauthorized'],
  ServiceTokenExpired: [401002, 'Unauthorized'],
  ServiceTokenForAnotherResource: [401002, 'Unauthorized'],
  ServicePolicyUnknown: [401002, 'Unauthorized'],
  ServiceTokenSignatureInvalid: [401002, 'Unauthorized'],
  ServiceRightMissing: [401002, 'Unauthorized'],
  AddressNotAllowed: [401002, 'Unauthorized'],
  LocalAuthDisabled: [401002, 'Unauthorized'],
  BearerTokenInvalid: [401002, 'Unauthorized'],
  ManagementTokenMissing: [401002, 'A bearer token is needed.'],
  ManagementTokenInvalid: [401002, 'The bearer token is not valid.'],
  ManagementRoleMissing: [403000, 'The bearer token does not allow this.'],

  // Records.
  EnrollmentAbsent: [404201, 'Enrollment not found.'],
  EnrollmentGroupAbsent: [404202, 'EnrollmentGroup not found.'],
  RegistrationAbsent: [404201, 'Registration not found.'],
  DeviceRegistrationAbsent: [404202, 'Registration not found.'],
  OperationAbsent: [404202, 'Operation not found.'],
  EnrollmentExists: [409201, 'Enrollment already exists.'],
  EnrollmentGroupExists: [409202, 'EnrollmentGroup already exists.'],
  CertificateInUse: [409201, 'The certificate is already used by another enrollment.'],
  EnrollmentEtagMismatch: [412201, 'ETag is invalid.'],
  EnrollmentGroupEtagMismatch: [412202, 'ETag is invalid.'],
  RegistrationEtagMismatch: [412203, 'ETag is invalid.'],
  QuotaReached: [403201, 'The quota of this resource is reached.'],
  Throttled: [429001, 'Operations are being throttled for this tenant.'],

  // The control plane.
  AuditUnavailable: [503000, 'Changes cannot be made now.'],
  InstanceAbsent: [404000, 'The provisioning service does not exist.'],
  InstanceExists: [409000, 'A provisioning service of this name exists already.'],
  InstanceInUse: [409000, 'The provisioning service cannot be deleted.'],
  TokenInUse: [409000, 'A token cannot revoke itself.'],
  ResourceAbsent: [404000, 'The resource does not exist.'],
  ResourceChanged: [409000, 'The resource was changed by somebody else; read it again.'],
  ResourceEtagMismatch: [412000, 'The etag is not that of the resource.'],
  ResourceEtagMissing: [412000, 'If-Match with the etag of the resource is needed.'],
  CaCertificateInvalid: [400000, 'The certificate cannot be used.'],
  PossessionNotProven: [400000, 'The verification certificate does not prove possession of the key.'],
  RevocationListInvalid: [400000, 'The revocation list cannot be used.'],

  // Where the device is to go. These end an accepted registration as `failed`.
  NoHubLinked: [401001, 'IoTHub not found.'],
  AllocationPolicyUnavailable: [400208, 'The allocation policy is not available.'],
  NoHubAvailable: [400208, 'No hub is available for allocation.'],
  StaticHubAmbiguous: [400208, 'Static allocation needs one hub: the enrollment names none and several are linked.'],
  CustomAllocationFailed: [400207, 'Custom allocation failed.'],
  HubUnauthorized: [400209, 'The IoT hub refused the credentials of the provisioning service.'],
  HubRefused: [400000, 'The IoT hub refused the device.'],
  HubUnavailable: [503000, 'The IoT hub is not available.'],

  // At the bundled hub, in the words of each of its protocols.
  HubDeviceUnknown: [401002, 'Unauthorized'],
  HubDeviceDisabled: [401002, 'Unauthorized'],
  HubTokenRefused: [401002, 'Unauthorized'],
  HubCertificateRefused: [401002, 'Unauthorized'],
  HubCredentialMissing: [401002, 'Unauthorized'],
  HubConnectInvalid: [401002, 'Unauthorized'],

  // The service itself.
  StoreUnavailable: [503001, 'The service is not available.'],
} as const satisfies Record<string, readonly [errorCode: number, message: string]>

export type RefusalReason = keyof typeof refusals

/**
 * Finds out, at some cost, by which mistake a refusal came about; undefined if it cannot be told. To be asked once whoever was
 * refused has been answered, and not for every refusal: the time that it takes depends on what is enrolled.
 */
export type Diagnosis = () => Promise<string | undefined>

/**
 * The one error that is thrown on purpose. `detail` is for the operator's eyes: what was expected against what was found,
 * never a secret; what was found stands in it `quoted` or `shown` (src/base/printable.ts). `said` replaces the public message
 * where the wire wants a particular one; `as` has it told as if for another reason, where the true one would tell too much.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly reason: RefusalReason
  readonly detail: string
  readonly errorCode: number
  /** What the device or client is told. */
  readonly publicMessage: string
  /** Seconds after which the caller may try again. */
  readonly retryAfter: number | undefined
  /** More that the client is told, such as the offending member. The values are text: C# and Java read a string map. */
  readonly info: Readonly<Record<string, string>> | undefined
  /** Finds out more of the mistake, at some cost: to be asked when the caller has been answered, and not every time. */
  readonly diagnose: Diagnosis | undefined

  constructor(
    reason: RefusalReason,
    detail: string,
    options: {
      said?: string
      as?: RefusalReason
      retryAfter?: number | undefined
      info?: Readonly<Record<string, string>>
      diagnose?: Diagnosis | undefined
    } = {},
  ) {
    super(`${reason}: ${detail}`)
    this.reason = reason
    this.detail = detail
    const [errorCode, message] = refusals[options.as ?? reason]
    this.errorCode = errorCode
    this.publicMessage = options.said ?? message
    this.retryAfter = options.retryAfter
    this.info = options.info
    this.diagnose = options.diagnose
  }

  /** True of what was thrown because the store cannot write now, which is told where it is noticed. */
  static isOfStore(thrown: unknown): boolean {
    return thrown instanceof Refusal && thrown.reason === 'StoreUnavailable'
  }

  /** The HTTP status; also the status in an MQTT response topic. */
  get status(): number {
    return Math.floor(this.errorCode / 1000)
  }
}
