import { timingSafeEqual } from 'node:crypto'
import { withoutTrailingSlashes } from '../wire/http.ts'
import { expectedSignature, parseSasToken, type SasToken } from '../wire/sas-token.ts'
import type { Hub } from './hub.ts'
import type { Policy } from './policy.ts'

/** A token that one of a hub's policies has signed. */
export interface PolicyToken {
  readonly policy: Policy
  /** The segments after the host name that the token is limited to. */
  readonly scope: readonly string[]
  /** Milliseconds since 1970. */
  readonly expires: number
}

/** The token, if it is signed by a policy of this hub, for this hub, and has not expired. [service-wire §1.3, §13.4] */
export function policyToken(hub: Hub, text: string): PolicyToken | undefined {
  const token = parseSasToken(text)
  const policy = token && hub.policies.get(token.keyName.toLowerCase())
  if (!token || !policy || token.expiry * 1000 <= hub.clock()) return undefined
  const scope = scopeOf(hub, token)
  return scope && isSignedBy(policy, token) ? { policy, scope, expires: token.expiry * 1000 } : undefined
}

/** The resource's segments after the host, which may come with a scheme and a port; undefined for another host. */
function scopeOf({ name }: Hub, { resource }: SasToken): readonly string[] | undefined {
  const [host = '', ...scope] = withoutTrailingSlashes(resource.replace(/^[a-z]+:\/\//i, '')).split('/')
  return host.replace(/:\d+$/, '').toLowerCase() === name ? scope : undefined
}

function isSignedBy({ keys }: Policy, token: SasToken): boolean {
  const signers = keys.flatMap((key) => [key, key.asText])
  return signers.some((signer) => {
    const expected = expectedSignature(token, signer)
    return expected.length === token.signature.length && timingSafeEqual(expected, token.signature)
  })
}
