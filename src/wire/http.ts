import type { IncomingMessage, ServerResponse } from 'node:http'
import { Gathered } from '../base/gathered.ts'
import type { Peer } from '../base/peer.ts'

/** An HTTP request as our APIs see it, with the path still percent-encoded. */
export interface HttpRequest {
  readonly method: string
  /** Without the query, as received. */
  readonly path: string
  readonly query: URLSearchParams
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /**
   * Reads the body, which takes memory, so that whoever may not ask for anything should be refused before. `overlong`: it is
   * longer than its API takes, and was not read. `aborted`: the client went away before its end. Never rejects.
   */
  readonly body: () => Promise<Buffer | 'overlong' | 'aborted'>
  readonly peer: Peer
}

/** An answer; `body` is sent as it is, with its length. */
export interface HttpResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

/** A header's value; the first one if it was sent more than once. */
export function header(request: Pick<HttpRequest, 'headers'>, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

/** An API that answers requests for some paths. */
export interface HttpApi {
  readonly owns: (path: string) => boolean
  /** In bytes. What is longer is not read. */
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

/** A request whose headers have come. `release` forgets its body, however far it was read. */
export function receiveRequest(
  incoming: IncomingMessage,
  peer: Peer,
  largestBody: number,
): { request: HttpRequest; release: () => void } {
  const { url = '/', method = 'GET', headers } = incoming
  const path = pathOf(incoming)
  const query = new URLSearchParams(url.slice(path.length))
  const gathered = new Gathered(peer.memory)
  let read: ReturnType<HttpRequest['body']> | undefined
  const body = () => (read ??= readBody(incoming, gathered, largestBody))
  return { request: { method, path, query, headers, body, peer }, release: () => gathered.clear() }
}

/** Send an answer with Content-Length, never chunked: the C client demands exact lengths. [device-wire §2.3] */
export function sendResponse(outgoing: ServerResponse, { status, headers, body = '' }: HttpResponse): void {
  outgoing.writeHead(status, {
    ...headers,
    ...(status === 204 ? {} : { 'Content-Length': Buffer.byteLength(body) }),
  })
  outgoing.end(body)
}

function readBody(
  incoming: IncomingMessage,
  gathered: Gathered,
  largest: number,
): Promise<Buffer | 'overlong' | 'aborted'> {
  return new Promise((resolve) => {
    if (incoming.destroyed) resolve('aborted')
    let isOverlong = Number(incoming.headers['content-length'] ?? 0) > largest
    if (isOverlong) resolve('overlong')
    incoming.on('data', (part: Buffer) => {
      // The rest is drained unseen, so that the client comes to read the answer.
      if (isOverlong) return
      isOverlong = gathered.length + part.length > largest
      if (!isOverlong) return gathered.push(part)
      gathered.clear()
      resolve('overlong')
    })
    incoming.on('end', () => resolve(gathered.view()))
    incoming.on('error', () => resolve('aborted'))
    incoming.on('close', () => resolve('aborted'))
  })
}
