import { readIfMatch } from '../wire/precondition.ts'

/** An If-Match value without its quotes; `*` matches whatever is there. */
export type IfMatch = string

/** The header's entity tag, quoted or not, or undefined without the header. [service-wire §13.4] */
export function ifMatch(header: string | undefined): IfMatch | undefined {
  const precondition = readIfMatch(header)
  if (precondition === 'none') return undefined
  return precondition === 'exists' ? '*' : precondition.etag
}

export function matches(wanted: IfMatch, etag: string): boolean {
  return wanted === '*' || wanted === etag
}
