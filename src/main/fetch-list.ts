import type { FetchList } from '../enrollment/revocation-list.ts'
import { Refusal } from '../model/refusal.ts'

/** In bytes. */
const longest = 8 << 20
/** Milliseconds. */
const patience = 20_000

/** Fetch a certificate revocation list over HTTP or HTTPS. Plain HTTP is usual, because the list is signed. */
export const fetchList: FetchList = async (url) => {
  const protocol = URL.parse(url)?.protocol
  if (protocol !== 'https:' && protocol !== 'http:') throw refusal('the url is neither http nor https')
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(patience), redirect: 'error' })
    if (!response.ok) throw refusal(`${url} answered ${response.status}`)
    const parts: Uint8Array[] = []
    let length = 0
    for await (const part of response.body ?? []) {
      parts.push(part)
      length += part.length
      if (length > longest) throw refusal(`${url} sent more than ${longest} bytes`)
    }
    return Buffer.concat(parts)
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw refusal(`${url} could not be fetched: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function refusal(detail: string): Refusal {
  return new Refusal('RevocationListInvalid', detail)
}
