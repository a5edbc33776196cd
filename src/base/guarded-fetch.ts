import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { AddressDenied, demandPermittedHost, guardedLookup, type Allowed } from './guarded-lookup.ts'

/** What may be fetched, and how much of it. */
export interface FetchBounds {
  readonly allowed: Allowed
  /** The setting by which an operator may allow more, such as `--outbound-networks`. */
  readonly allowedBy: string
  /** In bytes. */
  readonly longest: number
  /** Milliseconds for the whole of it. */
  readonly patience: number
}

/** Nothing was fetched. Its message says what the server did, or failed to do, and names no URL. */
export class FetchFailed extends Error {
  override readonly name = 'FetchFailed'
}

/**
 * Fetches what somebody else than the operator named, by GET over HTTP or HTTPS, at public addresses and those that are allowed, within
 * bounds. Redirects are not followed: they would lead around the check. Rejects with FetchFailed.
 */
export function guardedFetch(bounds: FetchBounds): (url: URL) => Promise<Buffer> {
  const { allowed, allowedBy, longest, patience } = bounds
  const lookup = guardedLookup(allowed)
  return async (url) => {
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest
    const signal = AbortSignal.timeout(patience)
    try {
      demandPermittedHost(url.hostname, allowed)
      return await new Promise<Buffer>((resolve, reject) => {
        const outgoing = request(url, { lookup, signal, agent: false }, (answer) =>
          read(answer, longest).then(resolve, reject),
        )
        outgoing.on('error', reject)
        outgoing.end()
      })
    } catch (error) {
      throw new FetchFailed(signal.aborted ? `did not answer within ${patience} ms` : whatWentWrong(error))
    }
  }

  function whatWentWrong(error: unknown): string {
    if (error instanceof FetchFailed) return error.message
    if (error instanceof AddressDenied) {
      return `is at an address that is not public; the operator may allow its network with ${allowedBy}`
    }
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no answer'
    return `could not be fetched: ${code}`
  }
}

async function read(answer: IncomingMessage, longest: number): Promise<Buffer> {
  if (answer.statusCode !== 200) {
    answer.destroy()
    throw new FetchFailed(`answered ${answer.statusCode}`)
  }
  const parts: Buffer[] = []
  let length = 0
  for await (const part of answer as AsyncIterable<Buffer>) {
    parts.push(part)
    length += part.length
    if (length > longest) throw new FetchFailed(`sent more than ${longest} bytes`)
  }
  return Buffer.concat(parts)
}
