// Lets the TLS clients of this process name their private key by a PKCS#11 URI (RFC 7512) where they would hand over a PEM, e.g.
// `pkcs11:token=device;object=pump-17;type=private;pin-source=file:/etc/device/pin`. The key stays in its module and signs there.
// The SDKs pass `key` to TLS as it was given to them, so they need not know. The engine comes from the OpenSSL configuration that
// Node was started with: `--openssl-config=FILE`.
import tls from 'node:tls'

const plain = tls.createSecureContext

tls.createSecureContext = (options) => {
  const { key, ...others } = options ?? {}
  if (typeof key !== 'string' || !key.startsWith('pkcs11:')) return plain(options)
  return plain({ ...others, privateKeyEngine: 'pkcs11', privateKeyIdentifier: key })
}
