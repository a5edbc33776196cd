import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { shownUrl } from '../base/shown-url.ts'
import type { FetchList } from '../instances/revocation-lists/refresh.ts'
import { Refusal } from '../model/refusal.ts'
import { AddressDenied, demandPermittedHost, guardedLookup, type Allowed } from '../base/guarded-lookup.ts'

/** In bytes. */
const longest = 8 << 20
/** Milliseconds for the whole of it. */
const patience = 20_000

/**
 * Fetches certificate revocation lists over HTTP or HTTPS, at public addresses and those that are allowed. Plain HTTP is usual,
 * because a list is signed. Redirects are not followed: they would lead around the check.
 */
export function listFetcher(allowed: Allowed): FetchList {
  const lookup = guardedLookup(allowed)
  return async (text) => {
    const url = URL.parse(text)
    const request = url?.protocol === 'https:' ? httpsRequest : url?.protocol === 'http:' ? httpRequest : undefined
    if (!url || !request) throw refusal('the url is neither http nor https')
    try {
      demandPermittedHost(url.hostname, allowed)
      return await new Promise<Buffer>((resolve, reject) => {
        const signal = AbortSignal.timeout(patience)
        const outgoing = request(url, { lookup, signal, agent: false }, (answer) => read(answer).then(resolve, reject))
        outgoing.on('error', reject)
        outgoing.end()
      })
    } catch (error) {
      throw refusal(`${shownUrl(text)} ${whatWentWrong(error)}`)
    }
  }
}

async function read(answer: IncomingMessage): Promise<Buffer> {
  if (answer.statusCode !== 200) {
    answer.destroy()
    throw new UnusableAnswer(`answered ${answer.statusCode}`)
  }
  const parts: Buffer[] = []
  let length = 0
  for await (const part of answer as AsyncIterable<Buffer>) {
    parts.push(part)
    length += part.length
    if (length > longest) throw new UnusableAnswer(`sent more than ${longest} bytes`)
  }
  return Buffer.concat(parts)
}

class UnusableAnswer extends Error {}

function whatWentWrong(error: unknown): string {
  if (error instanceof AddressDenied) {
    return 'is at an address that is not public; the operator may allow its network with --outbound-networks'
  }
  if (error instanceof UnusableAnswer) return error.message
  if (error instanceof Error && error.name === 'TimeoutError') return `did not answer within ${patience} ms`
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'no answer'
  return `could not be fetched: ${code}`
}

function refusal(detail: string): Refusal {
  return new Refusal('RevocationListInvalid', detail)
}
