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
  /** The body was longer than its API takes, and was not read. */
  readonly overlong: boolean
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

/** An API that answers requests for some paths. */
export interface HttpApi {
  readonly owns: (path: string) => boolean
  /** In bytes. What is longer is not read: such a request arrives `overlong`, with an empty body. */
  readonly largestBody: number
  readonly handle: (request: HttpRequest) => Promise<HttpResponse>
}

/** The path of a request that has not been read. */
export function pathOf({ url = '/' }: IncomingMessage): string {
  const mark = url.indexOf('?')
  return mark < 0 ? url : url.slice(0, mark)
}

/** A path without the slashes at its end. By hand: a regular expression takes the square of the slashes that stand elsewhere. */
export function withoutTrailingSlashes(path: string): string {
  let end = path.length
  while (path[end - 1] === '/') end--
  return path.slice(0, end)
}

/** Read a request to its end, or to `largestBody` bytes; undefined if the client went away before. */
export async function readRequest(
  incoming: IncomingMessage,
  peer: Peer,
  largestBody: number,
): Promise<HttpRequest | undefined> {
  const { url = '/', method = 'GET', headers } = incoming
  const path = pathOf(incoming)
  const query = new URLSearchParams(url.slice(path.length))
  const body = await readBody(incoming, largestBody)
  if (body === 'aborted') return undefined
  const overlong = body === 'overlong'
  return { method, path, query, headers, body: overlong ? Buffer.alloc(0) : body, overlong, peer }
}

/** Send an answer with Content-Length, never chunked: the C client demands exact lengths. [device-wire §2.3] */
export function sendResponse(outgoing: ServerResponse, { status, headers, body = '' }: HttpResponse): void {
  outgoing.writeHead(status, {
    ...headers,
    ...(status === 204 ? {} : { 'Content-Length': Buffer.byteLength(body) }),
  })
  outgoing.end(body)
}

function readBody(incoming: IncomingMessage, largest: number): Promise<Buffer | 'overlong' | 'aborted'> {
  return new Promise((resolve) => {
    const parts: Buffer[] = []
    let length = 0
    incoming.on('data', (part: Buffer) => {
      length += part.length
      if (length <= largest) parts.push(part)
      else {
        // The rest is drained unseen, so that the client comes to read the answer.
        parts.length = 0
        resolve('overlong')
      }
    })
    incoming.on('end', () => resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts)))
    incoming.on('error', () => resolve('aborted'))
    incoming.on('close', () => resolve('aborted'))
  })
}
