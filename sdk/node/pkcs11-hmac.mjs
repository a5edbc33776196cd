// A device whose symmetric key is in a PKCS#11 module, which signs the tokens: the SDK sees signatures only. `pkcs11-tool` (OpenSC)
// asks the module; the PIN goes by the environment, because command lines can be read by every user.
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const { Client } = require('azure-iot-device')
const { TpmAuthenticationProvider } = require('azure-iot-security-tpm')

export function openHmacKey(registrationId, { library, token, id, pin }) {
  const session = ['--module', library, '--token-label', token, '--login', '--pin', 'env:PKCS11_PIN']
  const env = { ...process.env, PKCS11_PIN: pin }

  function signWithIdentity(data, callback) {
    const signing = ['--sign', '--mechanism', 'SHA256-HMAC', '--id', id]
    const child = execFile('pkcs11-tool', [...session, ...signing], { env, encoding: 'buffer' }, callback)
    child.stdin.on('error', () => undefined) // told by the exit code
    child.stdin.end(data)
  }

  return {
    // What ProvisioningDeviceClient.create takes as a symmetric key.
    security: {
      getRegistrationId: (callback) => callback(null, registrationId),
      createSharedAccessSignature: (idScope, callback) => {
        const resource = encodeURIComponent(`${idScope}/registrations/${registrationId}`)
        const expiry = Math.floor(Date.now() / 1000) + 3600
        signWithIdentity(Buffer.from(`${resource}\n${expiry}`), (error, signature) => {
          if (error) return callback(error)
          const sig = encodeURIComponent(signature.toString('base64'))
          callback(null, `SharedAccessSignature sr=${resource}&sig=${sig}&se=${expiry}&skn=registration`)
        })
      },
    },
    // The provider for a TPM asks for nothing but signatures, and renews its tokens by itself.
    hubClient: (hub, deviceId, Transport) => {
      const provider = TpmAuthenticationProvider.fromTpmSecurityClient(deviceId, hub, { signWithIdentity })
      return Client.fromAuthenticationProvider(provider, Transport)
    },
    close: () => undefined,
  }
}
