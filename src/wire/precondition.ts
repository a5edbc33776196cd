import { header, type HttpRequest } from './http.ts'

/** What a request demands of the record that it is about: nothing, that there is one, or that it has this etag. */
export type Precondition = 'none' | 'exists' | { readonly etag: string }

/**
 * Read `If-Match` in each spelling that clients use: raw, quoted, weak, `*`, `"*"`, and the decoded inner form of the
 * etag with or without its quotes. [service-wire §0.3, §3.4]
 */
export function readIfMatch(ifMatch: string | undefined): Precondition {
  const text = ifMatch === undefined ? '' : unquote(ifMatch.trim().replace(/^W\//, ''))
  if (text === '') return 'none'
  return text === '*' ? 'exists' : { etag: text }
}

/** What a request demands by its `If-Match`. */
export function preconditionOf(request: Pick<HttpRequest, 'headers'>): Precondition {
  return readIfMatch(header(request, 'if-match'))
}

/** True if the record's etag is the one that was named; false too if there is no record. */
export function holds(precondition: Precondition, etag: string | undefined): boolean {
  if (precondition === 'none') return true
  if (etag === undefined) return false
  if (precondition === 'exists') return true
  const inner = Buffer.from(etag, 'base64').toString('latin1')
  return [etag, inner, unquote(inner)].includes(precondition.etag)
}

function unquote(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text
}
