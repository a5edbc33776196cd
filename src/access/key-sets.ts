import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose'
import { clockJumps } from '../base/clock-jump.ts'
import type { Clocks, Monotonic } from '../base/time.ts'

const issuersRemembered = 100
/** Milliseconds for which an issuer is left alone, whatever key a token names: anybody may make one up. */
const cooldown = 10_000

/** Fetches the document in which an issuer publishes its keys, in bounded time and length; rejects with FetchFailed. */
export type FetchKeys = (url: URL) => Promise<Buffer>

/**
 * The published keys of token issuers, by URL. They are fetched when a token names one that is not known, at most every ten
 * seconds, also from an issuer that does not answer.
 */
export function keySets(clocks: Clocks, fetchKeys: FetchKeys): (url: string) => JWTVerifyGetKey {
  const known = new Map<string, JWTVerifyGetKey>()
  const jumped = clockJumps(clocks.clock, clocks.monotonic)
  return (url) => {
    // jose reckons the age of keys by the wall clock: set back, it would fetch none until it has caught up.
    if (jumped() !== 0 || known.size > issuersRemembered) known.clear()
    const keys = known.get(url) ?? remoteKeys(url, clocks.monotonic, fetchKeys)
    known.set(url, keys)
    return keys
  }
}

function remoteKeys(url: string, monotonic: Monotonic, fetchKeys: FetchKeys): JWTVerifyGetKey {
  let failedAt = -Infinity
  let failure: unknown
  return createRemoteJWKSet(new URL(url), {
    cooldownDuration: cooldown,
    [customFetch]: async (address) => {
      if (monotonic() - failedAt < cooldown) throw failure
      try {
        return new Response(new Uint8Array(await fetchKeys(new URL(address))))
      } catch (error) {
        failedAt = monotonic()
        failure = error
        throw error
      }
    },
  })
}
