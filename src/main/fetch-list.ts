import { FetchFailed, guardedFetch } from '../base/guarded-fetch.ts'
import type { Allowed } from '../base/guarded-lookup.ts'
import { shownUrl } from '../base/shown-url.ts'
import type { FetchList } from '../instances/revocation-lists/refresh.ts'
import { Refusal } from '../model/refusal.ts'

/** In bytes. */
const longest = 8 << 20
/** Milliseconds for the whole of it. */
const patience = 20_000

/**
 * Fetches certificate revocation lists over HTTP or HTTPS, at public addresses and those that are allowed. Plain HTTP is usual,
 * because a list is signed.
 */
export function listFetcher(allowed: Allowed): FetchList {
  const fetch = guardedFetch({ allowed, allowedBy: '--outbound-networks', longest, patience })
  return async (text) => {
    const url = URL.parse(text)
    if (url?.protocol !== 'https:' && url?.protocol !== 'http:') throw refusal('the url is neither http nor https')
    try {
      return await fetch(url)
    } catch (error) {
      if (error instanceof FetchFailed) throw refusal(`${shownUrl(text)} ${error.message}`)
      throw error
    }
  }
}

function refusal(detail: string): Refusal {
  return new Refusal('RevocationListInvalid', detail)
}
