import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { createSecureContext, getCACertificates, type ConnectionOptions } from 'node:tls'
import { demandPermittedHost, guardedLookup, type Allowed } from './guarded-lookup.ts'

/** Whom may be called, and how. */
export interface OutgoingRules {
  /** What may be called beside public addresses. `anywhere`: whoever runs the program names the servers himself. */
  readonly allowed: Allowed | 'anywhere'
  /** What to trust, as `trusting` says it, and what to show a server that asks for a certificate. */
  readonly tls?: ConnectionOptions
  /** To one host at a time, and kept; calls beyond wait for their turn. */
  readonly connections: number
}

/** Whom a call goes to, where it is not a URL: its path is sent as it is written, `..` and all. */
export interface OutgoingTarget {
  readonly protocol: 'http:' | 'https:'
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port?: number
  readonly path: string
  /** A name and a password with a colon between them. */
  readonly auth?: string
}

/** One call. */
export interface OutgoingCall {
  readonly method: string
  /** The length is added. Whoever traces puts `traceparent` here. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Ends the call where its answer is not there, whole. Absent: nothing does but `patience`. */
  readonly signal?: AbortSignal
  /** Milliseconds for the whole of it on its connection; to wait for a connection does not count. */
  readonly patience?: number
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
export type Outgoing = ((to: URL | OutgoingTarget, call: OutgoingCall) => Promise<OutgoingAnswer>) & Disposable

/** The one way in which we call others: guarded, bounded, on kept connections. docs/decisions/010 says why it is ours. */
export function outgoing({ allowed, tls, connections }: OutgoingRules): Outgoing {
  const guard = allowed === 'anywhere' ? {} : { lookup: guardedLookup(allowed) }
  const ordinary = { keepAlive: true, maxSockets: connections, ...guard }
  const http = new HttpAgent(ordinary)
  const https = new HttpsAgent({ ...tls, ...ordinary })

  async function call(to: URL | OutgoingTarget, asked: OutgoingCall): Promise<OutgoingAnswer> {
    const { method, body, signal, patience, longest } = asked
    const target = to instanceof URL ? targetOf(to) : to
    if (allowed !== 'anywhere') demandPermittedHost(target.host, allowed)
    const [request, agent] = target.protocol === 'https:' ? [httpsRequest, https] : [httpRequest, http]
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const options = { ...target, method, agent, headers: { ...asked.headers, ...length }, ...(signal && { signal }) }
    const late = Promise.withResolvers<never>()
    let timer: NodeJS.Timeout | undefined
    const answered = new Promise<OutgoingAnswer>((resolve, reject) => {
      const outgoing = request(options, (answer) => read(answer, longest).then(resolve, reject))
      outgoing.on('error', reject)
      outgoing.once('socket', () => {
        if (patience === undefined) return
        timer = setTimeout(() => {
          late.reject(new Error(`no answer within ${patience} ms`))
          outgoing.destroy()
        }, patience)
      })
      outgoing.end(body)
    })
    return Promise.race([answered, late.promise]).finally(() => clearTimeout(timer))
  }

  return Object.assign(call, {
    [Symbol.dispose]: () => {
      http.destroy()
      https.destroy()
    },
  })
}

/** Trust in these CAs (PEM) beside those of the system. */
export function trusting(ca: readonly string[]): ConnectionOptions {
  if (ca.length === 0) return {}
  // Made once: to read all the system's CAs for every connection would cost more than its handshake.
  return { secureContext: createSecureContext({ ca: [...getCACertificates('default'), ...ca] }) }
}

function targetOf({ protocol, hostname, port, pathname, search, username, password }: URL): OutgoingTarget {
  return {
    protocol: protocol === 'https:' ? 'https:' : 'http:',
    host: hostname.replace(/^\[|\]$/g, ''),
    ...(port !== '' && { port: Number(port) }),
    path: `${pathname}${search}`,
    ...(username !== '' && { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` }),
  }
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
