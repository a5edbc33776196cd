import { codeOf } from '../../base/error-code.ts'
import { quoted } from '../../base/printable.ts'
import { Refusal } from '../../model/refusal.ts'
import type { ClientHello } from '../../wire/client-hello.ts'

/**
 * Why a TLS handshake failed, with what the client offered; undefined if there is nothing to tell, because whoever came left
 * again without a word.
 *
 * @param error as Node tells it of a `tlsClientError`; undefined if the client only left
 * @param first the first bytes that came
 * @param hello what they are; undefined if they are no ClientHello
 */
export function handshakeRefusal(error: unknown, first: Buffer, hello: ClientHello | undefined): Refusal | undefined {
  const code = codeOf(error) ?? ''
  if (!hello) {
    if (first.length === 0 || !code.startsWith('ERR_SSL')) return undefined
    return new Refusal('TlsMissing', `expected a TLS handshake, found ${spoken(first)}`)
  }
  const clientsAlert = Number(/SSL alert number (\d+)/.exec(String(error))?.[1])
  if (!Number.isNaN(clientsAlert)) {
    const found = `the client ended the TLS handshake with ${alertOf(clientsAlert)}`
    return untrusting.has(clientsAlert)
      ? new Refusal('TlsServerNotTrusted', `${found}: it does not trust the certificate that it was shown`)
      : new Refusal('TlsHandshakeFailed', `${found}; ${offerOf(hello)}`)
  }
  if (!code.startsWith('ERR_SSL')) {
    const found =
      'the client left in the middle of the TLS handshake, without an alert, when it had been shown our certificate'
    return new Refusal('TlsServerNotTrusted', `${found}; ${offerOf(hello)}`)
  }
  const alert = ourAlerts[code]
  const told = alert === undefined ? '' : ` (it was told ${alertOf(alert)})`
  return new Refusal('TlsHandshakeFailed', `${reasonOf(error)}${told}; ${offerOf(hello)}`)
}

/** Alerts by which a client says that it does not believe the server's certificate. [RFC 8446 §6.2] */
const untrusting: ReadonlySet<number> = new Set([42, 43, 44, 45, 46, 48])

const alertNames: Readonly<Record<number, string>> = {
  10: 'unexpected_message',
  20: 'bad_record_mac',
  40: 'handshake_failure',
  42: 'bad_certificate',
  43: 'unsupported_certificate',
  44: 'certificate_revoked',
  45: 'certificate_expired',
  46: 'certificate_unknown',
  47: 'illegal_parameter',
  48: 'unknown_ca',
  49: 'access_denied',
  50: 'decode_error',
  51: 'decrypt_error',
  70: 'protocol_version',
  71: 'insufficient_security',
  80: 'internal_error',
  90: 'user_canceled',
  109: 'missing_extension',
  112: 'unrecognized_name',
  120: 'no_application_protocol',
}

/** The alerts that OpenSSL sends with the errors that devices cause most often. */
const ourAlerts: Readonly<Record<string, number>> = {
  ERR_SSL_NO_SHARED_CIPHER: 40,
  ERR_SSL_NO_SHARED_GROUP: 40,
  ERR_SSL_NO_SUITABLE_KEY_SHARE: 40,
  ERR_SSL_NO_SUITABLE_GROUPS: 40,
  ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS: 40,
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: 40,
  ERR_SSL_UNSUPPORTED_PROTOCOL: 70,
  ERR_SSL_VERSION_TOO_LOW: 70,
  ERR_SSL_WRONG_CURVE: 47,
  ERR_SSL_WRONG_SIGNATURE_TYPE: 47,
  ERR_SSL_BAD_SIGNATURE: 51,
  ERR_SSL_INAPPROPRIATE_FALLBACK: 86,
}

function alertOf(number: number): string {
  return `alert ${number}${alertNames[number] ? `, ${alertNames[number]}` : ''}`
}

const mostShown = 12

function offerOf({ versions, ciphers, groups, serverName }: ClientHello): string {
  const some = (names: readonly string[]) =>
    names.length > mostShown
      ? `${names.slice(0, mostShown).join(', ')} and ${names.length - mostShown} more`
      : names.join(', ')
  const curves = groups.length > 0 ? ` on ${some(groups)}` : ''
  const name = serverName === undefined ? ', and named no server' : ''
  return `it offered ${some(versions)} with ${some(ciphers) || 'no cipher'}${curves}${name}`
}

function spoken(first: Buffer): string {
  const text = first.toString('latin1', 0, 64)
  if (/^[A-Z]{3,10} [^\r\n]* HTTP\/1/.test(first.toString('latin1', 0, 2048)) || /^[A-Z]{3,10} \//.test(text))
    return `plain HTTP: ${quoted(text.split('\r\n')[0] ?? '')}`
  if (text.startsWith('PRI * HTTP/2')) return 'plain HTTP/2'
  if (first[0] === 0x10 && /^(?:MQTT|MQIsdp)/.test(first.toString('latin1', 4, 12))) return 'plain MQTT'
  if (text.startsWith('AMQP')) return 'plain AMQP'
  if (text.startsWith('PROXY ') || text.startsWith('\r\n\r\n\0\r\nQUIT\n'))
    return 'the PROXY protocol, from an address that is not among the proxies'
  return `${quoted(text.slice(0, 24))}`
}

function reasonOf(error: unknown): string {
  const reason: unknown = error instanceof Error && 'reason' in error ? error.reason : undefined
  return typeof reason === 'string' ? `the TLS handshake failed: ${reason}` : 'the TLS handshake failed'
}
