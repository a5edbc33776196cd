import type { RefusalReason } from '../model/refusal.ts'
import { bundledHubAdvice } from './bundled-hub-advice.ts'
import { controlPlaneAdvice } from './control-plane-advice.ts'
import { unreadAdvice } from './unread-advice.ts'

/** Whose request can end so: a device's attempt, an operator's call, either's; or nobody's while every part is in its place. */
export type Side = 'device' | 'operator' | 'both' | 'nobody'

/**
 * For every reason, who may meet it and what to do about it. docs/reasons.md is made from this table, and a test produces every
 * reason that a device may meet through a real wire.
 */
export const advice = {
  BodyMalformed: [
    'both',
    'Send a JSON object as the body. Unmodified SDKs do; a proxy on the way may have changed it.',
  ],
  ApiVersionMissing: [
    'both',
    'Send api-version as a date, such as 2019-03-31: in the query (HTTPS), in the user name (MQTT), as a link property (AMQP).',
  ],
  QueryMalformed: ['operator', 'Correct the query; the message names the place where it ceases to make sense.'],
  ContinuationInvalid: ['operator', 'Begin the query again: continuation tokens belong to one query of one instance.'],
  RegistrationIdMismatch: ['device', 'Let the body repeat the registration ID of the request, or leave it out.'],
  RegistrationIdInvalid: [
    'both',
    'Use 1 to 128 letters, digits and - . _ :, beginning with a letter or digit and ending with one or with a hyphen.',
  ],
  MemberInvalid: ['operator', 'Correct the member that the message names.'],
  AttestationUnavailable: [
    'device',
    'Let TPM devices connect over HTTPS or AMQP; MQTT has no words for their challenge.',
  ],
  PathUnknown: [
    'both',
    'Check the path: devices use /{idScope}/registrations/{registrationId}/register; a device ID with a slash cannot be a registration ID.',
  ],
  MethodNotAllowed: ['both', 'Use PUT to register, GET for operations, POST to look a registration up.'],
  BodyTooLarge: [
    'both',
    'Send less: 96 KiB, or a payload of what the limits of the instance say. It is meant for a few facts.',
  ],
  MediaTypeUnsupported: ['both', 'Say Content-Type: application/json.'],

  ...unreadAdvice,

  IdScopeUnknown: [
    'device',
    'Compare the ID scope in the device with that of the instance, letter by letter; a deleted instance does not come back.',
  ],
  CredentialMissing: [
    'device',
    'The device sent no token, no client certificate and no TPM keys: configure one in it. A TLS proxy in between takes certificates away.',
  ],
  TokenMalformed: ['device', 'Have the device make its token with an SDK: SharedAccessSignature sr=…&sig=…&se=….'],
  TokenExpired: [
    'device',
    'Set the clock of the device (NTP), or give its tokens a longer life. If it was late by hours exactly, its time zone is wrong.',
  ],
  TokenForAnotherResource: [
    'device',
    'Sign {idScope}/registrations/{registrationId}, with the ID scope and ID under which the device registers.',
  ],
  TokenKeyNameInvalid: [
    'device',
    'Devices use the key name "registration" or none. A token of a shared access policy is for operators.',
  ],
  TokenSignatureInvalid: [
    'device',
    'The key in the device is not the one enrolled. Compare the SHA-256 of both; in a group, derive the key from the present group key and exactly this registration ID.',
  ],
  TokenSignedWithGroupKey: [
    'device',
    'The device holds the group key itself. Derive its own: base64(HMAC-SHA256(group key, registration ID)), or `hubward key derive`; then regenerate the group key, which was given away.',
  ],
  EnrollmentNotFound: [
    'device',
    'Enroll the device, or the group that vouches for it. If it is enrolled, compare the registration ID and the instance.',
  ],
  AttestationTypeMismatch: [
    'device',
    'Change the enrollment to the kind of proof that the device sends, or the device to that of its enrollment.',
  ],
  MqttUserNameInvalid: [
    'device',
    'Connect with the user name {idScope}/registrations/{registrationId}/api-version=2019-03-31.',
  ],
  MqttClientIdMismatch: ['device', 'Use the registration ID as the MQTT client ID.'],
  SaslResponseInvalid: [
    'device',
    'SASL PLAIN wants {idScope}/registrations/{registrationId} as the user name and a token as the password.',
  ],
  CertificateMissing: [
    'device',
    'Present the client certificate in the TLS handshake; check that its key was loaded with it.',
  ],
  CertificateMalformed: ['device', 'Issue the certificate again: it is not X.509 as RFC 5280 has it.'],
  CertificateCommonNameMissing: [
    'device',
    'Issue the certificate with the registration ID as its common name; alternative names do not count.',
  ],
  CertificateCommonNameMismatch: [
    'device',
    'Register under the common name of the certificate, or issue one for this registration ID.',
  ],
  CertificateNotEnrolled: [
    'device',
    'The certificate was renewed, or is of another device: put the presented one into the enrollment, as secondary while both are in use.',
  ],
  CertificateExpired: [
    'device',
    'Renew the certificate that is named. While a fleet is renewed, certificateDates "ignore" lets it in.',
  ],
  CertificateNotYetValid: ['device', 'Wait until the certificate is valid, or correct the clock of whoever issued it.'],
  CertificatePurposeInvalid: [
    'device',
    'Issue the certificate that is named with the extended key usage clientAuth, or with none. For a CA, certificateLeniency "issuer-purposes" lets it pass.',
  ],
  CertificateKeyTooWeak: [
    'device',
    'Issue the certificate that is named with RSA of 2048 bits or more, or P-256, P-384, P-521. Until then, certificateLeniency "rsa-1024" lets short RSA keys pass.',
  ],
  CertificateSignatureTooWeak: [
    'device',
    'Have the certificate that is named signed with SHA-256 or better. Until then, certificateLeniency "sha1-signatures" lets SHA-1 pass.',
  ],
  CertificateKeyUsageInvalid: [
    'device',
    'Issue the certificate that is named with the key usage digitalSignature for a device, keyCertSign for a CA, or without a key usage.',
  ],
  CertificateExtensionUnknown: [
    'device',
    'Issue the certificate that is named with the extension not critical. Until then, certificateLeniency "unknown-critical-extensions" lets it pass.',
  ],
  CertificateIsCa: [
    'device',
    'Issue a certificate for the device with CA: false; a CA\'s own is only taken where an individual enrollment holds it. Until then, certificateLeniency "ca-as-device" lets it pass.',
  ],
  ChainTooLong: [
    'device',
    'Present the leaf and its intermediates only: ten certificates are read, and eight may stand above one another.',
  ],
  ChainSignatureInvalid: [
    'device',
    'An issuer of the right name has another key: the CA was renewed with new keys, or this is not its certificate. Compare thumbprints.',
  ],
  ChainNotAnchored: [
    'device',
    'Have the device present the missing intermediate that is named, or upload it, or enroll it in a group.',
  ],
  ChainRootUnknown: [
    'device',
    'Enroll this root in a group, or the device with an individual enrollment; or the device was issued by the wrong CA.',
  ],
  CaCertificateNotVerified: [
    'device',
    'Prove possession of the CA: generate a verification code, issue a certificate with the code as common name, upload it to verify.',
  ],
  CaCertificateNotReferenced: ['device', 'Make an enrollment group that refers to this CA certificate by its name.'],
  ChainIssuerNotCa: [
    'device',
    'Issue the certificate that is named with the basic constraint CA: true; a device certificate cannot issue others.',
  ],
  ChainPathLengthExceeded: [
    'device',
    'Issue the certificate that is named with a longer path length, or the device directly below it.',
  ],
  ChainNameForbidden: [
    'device',
    'Issue the device below a CA whose name constraints permit its subject and its alternative names.',
  ],
  ChainPolicyInvalid: [
    'device',
    'A CA of the chain demands a certificate policy: issue those below it with that policy, or mapped to it.',
  ],
  RegistrationRevoked: [
    'device',
    'The registration ID is on the deny list, with the reason noted there; take it off if the device is back.',
  ],
  CertificateRevoked: [
    'device',
    'The certificate, or one above it, is on the deny list or in a revocation list; issue a new one.',
  ],
  CertificateRevocationUnknown: [
    'device',
    'Import a current list of the CA that is named, complete and about such certificates; revocation "listed" asks for none.',
  ],
  EndorsementKeyRevoked: [
    'device',
    'The TPM is on the deny list, with the reason noted there; take it off if the device is back.',
  ],
  EndorsementKeyMalformed: [
    'device',
    'Send the endorsement key as TPM2B_PUBLIC of an RSA-2048 storage key, base64, as the SDK reads it from the TPM.',
  ],
  StorageRootKeyMalformed: [
    'device',
    'Send the storage root key as TPM2B_PUBLIC, base64; clear the TPM if it has none that can be used.',
  ],
  EndorsementKeyMismatch: [
    'device',
    'Another TPM answers under this registration ID: a board was replaced. Enroll its endorsement key.',
  ],
  TpmEnrollmentNotFound: [
    'device',
    'TPMs need an individual enrollment each: make one with this registration ID and the endorsement key.',
  ],
  NonceInvalid: [
    'device',
    'The TPM signed with an old challenge, or could not import the new one; let it begin again. If it persists, clear the TPM.',
  ],

  ServiceTokenMissing: ['operator', 'Send an Authorization header.'],
  ServiceTokenMalformed: ['operator', 'Make the token with an SDK from the connection string.'],
  ServiceTokenExpired: ['operator', 'Make a new token; check the clock if it was fresh.'],
  ServiceTokenForAnotherResource: ['operator', 'Sign the host name of the instance that is called.'],
  ServicePolicyUnknown: ['operator', 'Use a shared access policy that the instance has.'],
  ServiceTokenSignatureInvalid: [
    'operator',
    'The key is not that of the policy: it was regenerated, or copied incompletely.',
  ],
  ServiceRightMissing: ['operator', 'Use a policy or a role with the right that is named.'],
  AddressNotAllowed: [
    'both',
    'Add a rule to the IP filter of the instance that accepts this address, or call from another.',
  ],
  LocalAuthDisabled: ['operator', 'Shared access signatures are switched off at this instance; use a bearer token.'],
  BearerTokenInvalid: ['operator', 'Get a new token; compare issuer and audience with those configured.'],
  ManagementTokenMissing: ['operator', 'Send Authorization: Bearer and an access token.'],
  ManagementTokenInvalid: ['operator', 'Get a new token; the one sent is unknown, revoked or expired.'],
  ManagementRoleMissing: ['operator', 'Ask an owner for a role that allows this at the instance.'],

  EnrollmentAbsent: ['operator', 'Check the registration ID and the instance.'],
  EnrollmentGroupAbsent: ['operator', 'Check the enrollment group ID and the instance.'],
  RegistrationAbsent: ['operator', 'The device has not registered yet, or its registration was deleted.'],
  DeviceRegistrationAbsent: ['device', 'The device asked for a registration that it has not made; let it register.'],
  OperationAbsent: [
    'device',
    'The device polls an operation that is not its own, or is over an hour old; let it register again.',
  ],
  EnrollmentExists: ['operator', 'Send If-Match to change an enrollment that exists.'],
  EnrollmentGroupExists: ['operator', 'Send If-Match to change a group that exists.'],
  CertificateInUse: ['operator', 'One certificate vouches for one enrollment; take it from the other first.'],
  EnrollmentEtagMismatch: ['operator', 'Somebody changed the enrollment; read it again.'],
  EnrollmentGroupEtagMismatch: ['operator', 'Somebody changed the group; read it again.'],
  RegistrationEtagMismatch: ['operator', 'The device registered meanwhile; read the registration again.'],
  QuotaReached: ['both', 'The instance has as many of these as its limits allow; delete some, or raise the limit.'],
  Throttled: [
    'both',
    'Too much was asked at once: wait as long as Retry-After says, or raise the limits of the instance.',
  ],

  ...controlPlaneAdvice,

  NoHubLinked: ['device', 'Link a hub to the instance, or correct the hubs that the enrollment names.'],
  AllocationPolicyUnavailable: ['nobody', 'Choose a policy that is offered here for the enrollment or the instance.'],
  NoHubAvailable: [
    'device',
    'Every hub that is permitted is taken out of allocation; let one apply it again, or permit more.',
  ],
  StaticHubAmbiguous: ['device', 'Name one hub in the enrollment: static allocation does not choose.'],
  CustomAllocationFailed: [
    'device',
    'The webhook of the enrollment failed, as noted; mend it, or choose another policy.',
  ],
  HubUnauthorized: [
    'device',
    'The key of the hub was regenerated: link the hub again with its present connection string.',
  ],
  HubRefused: [
    'device',
    'The hub refused the device in the words noted; often its quota is reached, or the policy lacks a right.',
  ],
  HubUnavailable: [
    'device',
    'The hub does not answer, or throttles. The device tries again by itself; look at the hub and the way to it.',
  ],
  ...bundledHubAdvice,

  StoreUnavailable: [
    'nobody',
    'The log says which file cannot be written and why: make room on the disk, or end what holds the lock. No restart is needed; what was refused is tried again by devices, and by operators.',
  ],
} as const satisfies Record<RefusalReason, readonly [side: Side, remedy: string]>
