import type { FetchKeys } from '../access/key-sets.ts'
import { guardedFetch } from '../base/guarded-fetch.ts'
import type { Allowed } from '../base/guarded-lookup.ts'

/** In bytes: an issuer publishes a few keys of at most a few hundred bytes, some with their certificates. */
const longest = 256 << 10
/** Milliseconds: whoever shows a token waits meanwhile. */
const patience = 5_000

/** Fetches the keys of access tokens' issuers, at public addresses and those that are allowed. */
export function keyFetcher(allowed: Allowed): FetchKeys {
  return guardedFetch({ allowed, allowedBy: '--issuer-networks', longest, patience })
}
