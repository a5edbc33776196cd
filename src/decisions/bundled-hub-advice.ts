/** What to do about a device that the bundled hub does not let in. */
export const bundledHubAdvice = {
  HubDeviceUnknown: [
    'device',
    'Let the device register again: it was deleted at this hub, or moved to another. Compare the device ID, which is the registration ID unless the enrollment says otherwise.',
  ],
  HubDeviceDisabled: ['device', 'Enable the identity at the hub, where an operator disabled it.'],
  HubTokenRefused: [
    'device',
    "Have the device sign {hub}/devices/{deviceId} with its own key, as the hub's registry or the enrollment has it; an expired token is a matter of its clock.",
  ],
  HubCertificateRefused: [
    'device',
    'The hub knows the certificate with which the device registered last: let it register again with the present one, then connect.',
  ],
  HubCredentialMissing: [
    'device',
    'Let the device send a token as its password, or its client certificate in the handshake.',
  ],
  HubConnectInvalid: [
    'device',
    'Connect with the device ID as client ID, and {hub}/{deviceId}/?api-version=2021-04-12 as user name.',
  ],
} as const
