/** What to do where the control plane says no. */
export const controlPlaneAdvice = {
  AuditUnavailable: [
    'operator',
    'The audit log cannot be written, and `audit` is `required`: make room on the disk of the data folder, then repeat the change.',
  ],
  InstanceAbsent: ['operator', 'Check subscription, resource group and name of the instance.'],
  InstanceExists: ['operator', 'Choose another name.'],
  InstanceInUse: [
    'operator',
    'The instance with the device host as its host name stays; delete what is in it instead.',
  ],
  TokenInUse: ['operator', 'Revoke it with the token of another Owner, or renew the administrator token at a start.'],
  ResourceAbsent: ['operator', 'Check the name of the resource.'],
  ResourceChanged: ['operator', 'Read the resource again, then repeat the change.'],
  ResourceEtagMismatch: ['operator', 'Read the resource again, then repeat the change with its etag.'],
  ResourceEtagMissing: ['operator', 'Send If-Match with the etag of the resource.'],
  CaCertificateInvalid: ['operator', 'Upload the certificate of a CA, as PEM or base64 of DER.'],
  PossessionNotProven: [
    'operator',
    'Issue the verification certificate with the CA itself and the latest code as its common name.',
  ],
  RevocationListInvalid: [
    'operator',
    'Import a list that is not out of date and signed by the CA whose certificates it revokes; `details` says what is wrong.',
  ],
} as const
