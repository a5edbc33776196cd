import { codeOf } from '../base/error-code.ts'
import { outgoing } from '../base/outgoing.ts'
import { CommandFailure } from './failure.ts'

/** A request over HTTPS, and where it goes. */
export interface Exchange {
  readonly method: string
  /** Where to connect. */
  readonly host: string
  readonly port: number
  /** The name that the certificate has to be good for, where it is not the host's. */
  readonly servername?: string | undefined
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  /** PEM; absent: what the system trusts. */
  readonly ca?: string | undefined
  /** A client certificate with its intermediates, and its key, PEM. */
  readonly cert?: string
  readonly key?: string
}

export interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** Milliseconds. */
const patience = 60_000
/** In bytes. */
const longest = 64 << 20

/** Send a request and read the answer whole. Throws a Failure that says what to do if there is none. */
export async function exchange(asked: Exchange): Promise<Response> {
  const { method, host, port, path, headers, body = '', ca, cert, key, servername } = asked
  using call = outgoing({ allowed: 'anywhere', tls: { ca, cert, key, servername }, connections: 1 })
  try {
    const answer = await call({ protocol: 'https:', host, port, path }, { method, headers, body, patience, longest })
    return { ...answer, text: answer.body.toString('utf8') }
  } catch (error) {
    throw failureOf(error, `${host}:${port}`)
  }
}

/** What to do about a connection that did not come to be. */
function failureOf(error: unknown, where: string): CommandFailure {
  const code = codeOf(error) ?? ''
  if (code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EHOSTUNREACH' || code === 'ETIMEDOUT') {
    return new CommandFailure(
      `${where} cannot be reached (${code}).`,
      'Start the service with "hubward serve", or name its data folder with --data or its address with --endpoint.',
    )
  }
  if (/CERT|SELF_SIGNED|ISSUER|VERIFY/.test(code)) {
    return new CommandFailure(
      `The certificate of ${where} is not trusted (${code}).`,
      "Name the CA file with --ca-file; the service's own is ca.pem in its data folder.",
    )
  }
  return new CommandFailure(`${where}: ${error instanceof Error ? error.message : String(error)}`)
}
