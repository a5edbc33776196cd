import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Peer } from './peer.ts'

/** An HTTP request as our APIs see it: read whole, bounded, with the path still percent-encoded. */
export interface HttpRequest {
  readonly method: string
  /** Without the query, as received. */
  readonly path: string
  readonly query: URLSearchParams
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  readonly peer: Peer
}

/** An answer; `body` is sent as it is, with its length. */
export interface HttpResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

/** A header's value; the first one if it was sent more than once. */
export function header(request: HttpRequest, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

/** Thrown by `readRequest` when the body is longer than allowed. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge'
}

/** Read a request to its end. Rejects with BodyTooLarge beyond `limit` bytes, or if the client goes away. */
export async function readRequest(incoming: IncomingMessage, peer: Peer, limit: number): Promise<HttpRequest> {
  const target = incoming.url ?? '/'
  const mark = target.indexOf('?')
  return {
    method: incoming.method ?? 'GET',
    path: mark < 0 ? target : target.slice(0, mark),
    query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
    headers: incoming.headers,
    body: await readBody(incoming, limit),
    peer,
  }
}

/** Send an answer with Content-Length, never chunked: the C client demands exact lengths. [device-wire §2.3] */
export function sendResponse(outgoing: ServerResponse, { status, headers, body = '' }: HttpResponse): void {
  outgoing.writeHead(status, {
    ...headers,
    ...(status === 204 ? {} : { 'Content-Length': Buffer.byteLength(body) }),
  })
  outgoing.end(body)
}

function readBody(incoming: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let length = 0
    incoming.on('data', (part: Buffer) => {
      length += part.length
      if (length > limit) {
        incoming.removeAllListeners('data').resume()
        reject(new BodyTooLarge(`more than ${limit} bytes`))
      } else parts.push(part)
    })
    incoming.on('end', () => resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts)))
    incoming.on('error', reject)
    incoming.on('close', () => reject(new Error('the client went away')))
  })
}
