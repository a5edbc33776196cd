// A device whose keys are in a TPM that is reached by the simulator's protocol. tss.js looks at 127.0.0.1:2321 unless it is told
// otherwise, so the TPM is handed to the SDK ready made.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const { Client } = require('azure-iot-device')
const { TpmAuthenticationProvider, TpmSecurityClient } = require('azure-iot-security-tpm')
const tss = require('tss.js')

export function openTpm(registrationId, { host, port }) {
  const tpm = new tss.Tpm(true, host, port)
  const security = new TpmSecurityClient(registrationId, tpm)
  return {
    security,
    hubClient: (hub, deviceId, Transport) => {
      const provider = TpmAuthenticationProvider.fromTpmSecurityClient(deviceId, hub, security)
      return Client.fromAuthenticationProvider(provider, Transport)
    },
    close: () => tpm.close(),
  }
}
