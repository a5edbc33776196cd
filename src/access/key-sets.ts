import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose'
import { clockJumps } from '../base/clock-jump.ts'
import type { Clocks, Monotonic } from '../base/time.ts'

const issuersRemembered = 100
/** Milliseconds for which an issuer is left alone, whatever key a token names: anybody may make one up. */
const cooldown = 10_000

/**
 * The published keys of token issuers, by URL. They are fetched when a token names one that is not known, at most every ten
 * seconds, also from an issuer that does not answer.
 */
export function keySets(clocks: Clocks): (url: string) => JWTVerifyGetKey {
  const known = new Map<string, JWTVerifyGetKey>()
  const jumped = clockJumps(clocks.clock, clocks.monotonic)
  return (url) => {
    // jose reckons the age of keys by the wall clock: set back, it would fetch none until it has caught up.
    if (jumped() !== 0 || known.size > issuersRemembered) known.clear()
    const keys = known.get(url) ?? remoteKeys(url, clocks.monotonic)
    known.set(url, keys)
    return keys
  }
}

function remoteKeys(url: string, monotonic: Monotonic): JWTVerifyGetKey {
  let failedAt = -Infinity
  let failure: unknown
  return createRemoteJWKSet(new URL(url), {
    timeoutDuration: 5000,
    cooldownDuration: cooldown,
    [customFetch]: async (address, options) => {
      if (monotonic() - failedAt < cooldown) throw failure
      try {
        const response = await fetch(address, options)
        if (!response.ok) throw new TypeError(`the issuer answered ${response.status}`)
        return response
      } catch (error) {
        failedAt = monotonic()
        failure = error
        throw error
      }
    },
  })
}
