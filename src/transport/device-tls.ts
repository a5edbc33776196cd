import { constants } from 'node:crypto'
import { DEFAULT_CIPHERS, type TlsOptions } from 'node:tls'

/** What a server proves itself with. */
export interface ServerProof {
  /** PEM. */
  readonly key: string
  /** PEM: the server's certificate and its issuers, without the root. */
  readonly certificate: string
  /** The same with a key of another kind: a client's offer decides which it is served with. */
  readonly rsa?: { readonly certificate: string; readonly key: string } | undefined
}

/**
 * Node's own, and before them those that are signed for by an elliptic key: our order decides, and who knows both kinds of key is
 * served with the one that costs less. An RSA signature costs as much as the rest of the handshake. [performance.md, TLS]
 */
const ciphers = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-SHA256',
  'ECDHE-ECDSA-AES256-SHA384',
  DEFAULT_CIPHERS,
].join(':')

/** The TLS of every device port. */
export function tlsOptions({ key, certificate, rsa }: ServerProof): TlsOptions {
  return {
    key: rsa ? [key, rsa.key] : key,
    cert: rsa ? [certificate, rsa.certificate] : certificate,
    minVersion: 'TLSv1.2',
    ciphers,
    requestCert: true,
    rejectUnauthorized: false,
    // No names are suggested: Java and Windows withhold a certificate whose issuer is not among them. [device-wire §7.1]
    ca: [],
    // Post-quantum shares are not offered to clients that ask for them: they cost more than the rest of the handshake. In TLS 1.2
    // the list also says which curves a client's certificate may have.
    ecdhCurve: 'X25519:P-256:P-384:P-521',
    // A resumed session has lost the client's intermediates. [client-findings, TLS]
    secureOptions: constants.SSL_OP_NO_TICKET,
    // Without it TLS 1.3 answers wait for a delayed acknowledgement. [performance.md]
    noDelay: true,
  }
}
