import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { getCACertificates } from 'node:tls'
import { demandPermittedHost, guardedLookup, type Allowed } from './guarded-lookup.ts'

/** Whom may be called, and how. */
export interface OutgoingRules {
  /** What may be called beside public addresses. */
  readonly allowed: Allowed
  /** PEM; trusted beside the system's CAs. */
  readonly ca?: readonly string[]
  /** To one host at a time; calls beyond wait for their turn. */
  readonly connections: number
}

/** One call. */
export interface OutgoingCall {
  readonly method: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Ends the call where its answer is not there, whole. Absent: nothing does but silence. */
  readonly signal?: AbortSignal
  /** Milliseconds of silence on its connection that end the call; to wait for a connection is no silence. */
  readonly silence?: number
  /** Bytes that the body of the answer may have. */
  readonly longest: number
}

export interface OutgoingAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** The body of an answer is longer than is taken. */
export class AnswerTooLong extends Error {
  override readonly name = 'AnswerTooLong'
}

/**
 * Calls over HTTP or HTTPS. Rejects with AddressDenied, AnswerTooLong, or with what the network said, which has a `code`. Redirects are
 * not followed: they would lead around the check.
 */
export type Outgoing = ((url: URL, call: OutgoingCall) => Promise<OutgoingAnswer>) & Disposable

/** The one way in which the service calls others: guarded, bounded, on kept connections. docs/decisions/010 says why it is ours. */
export function outgoing({ allowed, ca = [], connections }: OutgoingRules): Outgoing {
  const ordinary = { keepAlive: true, maxSockets: connections, lookup: guardedLookup(allowed) }
  const trusted = ca.length === 0 ? {} : { ca: [...getCACertificates('default'), ...ca] }
  const http = new HttpAgent(ordinary)
  const https = new HttpsAgent({ ...ordinary, ...trusted })

  async function call(url: URL, { body, silence, longest, ...asked }: OutgoingCall): Promise<OutgoingAnswer> {
    demandPermittedHost(url.hostname, allowed)
    const [request, agent] = url.protocol === 'https:' ? [httpsRequest, https] : [httpRequest, http]
    const headers = {
      ...asked.headers,
      ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    }
    return new Promise((resolve, reject) => {
      const outgoing = request(url, { ...asked, headers, agent }, (answer) =>
        read(answer, longest).then(resolve, reject),
      )
      if (silence !== undefined)
        outgoing.setTimeout(silence, () => outgoing.destroy(new Error(`no answer within ${silence} ms`)))
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }

  return Object.assign(call, {
    [Symbol.dispose]: () => {
      http.destroy()
      https.destroy()
    },
  })
}

async function read(answer: IncomingMessage, longest: number): Promise<OutgoingAnswer> {
  const parts: Buffer[] = []
  let length = 0
  // Leaving the loop by throwing destroys the stream, and with it the connection.
  for await (const part of answer as AsyncIterable<Buffer>) {
    length += part.length
    if (length > longest) throw new AnswerTooLong(`the answer is longer than ${longest} bytes`)
    parts.push(part)
  }
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts) }
}

/** What the network said, such as `ECONNREFUSED`; undefined if it is something else that failed. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
