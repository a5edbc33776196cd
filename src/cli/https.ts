import { request as send, type Agent } from 'node:https'
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
  readonly agent?: Agent
}

export interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** Milliseconds. */
const patience = 60_000

/** Send a request and read the answer whole. Throws a Failure that says what to do if there is none. */
export function exchange({ body = '', headers, agent, ...options }: Exchange): Promise<Response> {
  const { host, port } = options
  return new Promise((resolve, reject) => {
    const request = send(
      {
        ...options,
        timeout: patience,
        agent: agent ?? false,
        headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
      },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', (error) => reject(failureOf(error, host, port)))
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(parts).toString('utf8'),
          }),
        )
      },
    )
    request.on('timeout', () => request.destroy(new Error(`no answer within ${patience / 1000} s`)))
    request.on('error', (error) => reject(failureOf(error, host, port)))
    request.end(body)
  })
}

/** What to do about a connection that did not come to be. */
function failureOf(error: Error, host: string, port: number): CommandFailure {
  const code = 'code' in error ? String(error.code) : ''
  const where = `${host}:${port}`
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
  return new CommandFailure(`${where}: ${error.message}`)
}
