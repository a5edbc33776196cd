import { AddressDenied, type Allowed } from './guarded-lookup.ts'
import { codeOf } from './error-code.ts'
import { AnswerTooLong, outgoing } from './outgoing.ts'

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

/** Few are fetched, and seldom. */
const connections = 4

/**
 * Fetches what somebody else than the operator named, by GET over HTTP or HTTPS, at public addresses and those that are allowed, within
 * bounds. Rejects with FetchFailed.
 */
export function guardedFetch(bounds: FetchBounds): (url: URL) => Promise<Buffer> {
  const { allowed, allowedBy, longest, patience } = bounds
  const call = outgoing({ allowed, connections })
  return async (url) => {
    const signal = AbortSignal.timeout(patience)
    try {
      const { status, body } = await call(url, { method: 'GET', signal, longest })
      if (status !== 200) throw new FetchFailed(`answered ${status}`)
      return body
    } catch (error) {
      if (error instanceof FetchFailed) throw error
      throw new FetchFailed(whatWentWrong(error, signal))
    }
  }

  function whatWentWrong(error: unknown, { aborted }: AbortSignal): string {
    if (error instanceof AnswerTooLong) return `sent more than ${longest} bytes`
    if (aborted) return `did not answer within ${patience} ms`
    if (error instanceof AddressDenied) {
      return `is at an address that is not public; the operator may allow its network with ${allowedBy}`
    }
    return `could not be fetched: ${codeOf(error) ?? 'no answer'}`
  }
}
