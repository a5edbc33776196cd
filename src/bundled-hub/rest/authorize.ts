import { timingSafeEqual } from 'node:crypto'
import { header, withoutTrailingSlashes, type HttpRequest } from '../../wire/http.ts'
import { expectedSignature, parseSasToken, type SasToken } from '../../wire/sas-token.ts'
import { credentialOf } from '../credential.ts'
import type { Hub } from '../hub.ts'
import { HubRefusal } from '../hub-refusal.ts'
import { findIdentity } from '../identity-table.ts'
import type { Policy, Right } from '../policy.ts'
import type { Address } from '../registry.ts'

interface Verified {
  readonly policy: Policy
  /** The segments after the host name that the token is limited to. */
  readonly scope: readonly string[]
  /** Milliseconds since 1970. */
  readonly expires: number
}

/** Tokens of policies that were verified before, so that a caller's hour-long token costs one look-up per request. */
export type VerifiedTokens = Map<string, Verified>

const mostTokens = 1000

/** Refuses unless the request's token is of a policy with the right. [service-wire §1.3, §13.4] */
export function authorize(
  hub: Hub,
  request: HttpRequest,
  path: readonly string[],
  right: Right,
  tokens: VerifiedTokens,
): void {
  const text = header(request, 'authorization') ?? ''
  const verified = remembered(hub, text, tokens) ?? verify(hub, text, tokens)
  if (!verified) throw unauthorized('the token is not a valid one of a policy of this hub')
  if (!verified.policy.rights.has(right)) throw unauthorized(`policy ${verified.policy.name} lacks the right ${right}`)
  if (!verified.scope.every((segment, index) => segment === path[index])) {
    throw unauthorized('the token is for another resource')
  }
}

/** True if the request proves to come from the device itself, by its token or its client certificate. */
export function isDevice(hub: Hub, request: HttpRequest, { deviceId, moduleId }: Address): boolean {
  const identity = findIdentity(hub.database, hub.name, deviceId, moduleId)
  if (!identity || identity.status === 'disabled') return false
  return credentialOf(hub, identity, header(request, 'authorization'), request.peer) !== undefined
}

function remembered(hub: Hub, text: string, tokens: VerifiedTokens): Verified | undefined {
  const verified = tokens.get(text)
  return verified && verified.expires > hub.clock() ? verified : undefined
}

function verify(hub: Hub, text: string, tokens: VerifiedTokens): Verified | undefined {
  const token = parseSasToken(text)
  const policy = token && hub.policies.get(token.keyName.toLowerCase())
  if (!token || !policy || token.expiry * 1000 <= hub.clock()) return undefined
  const scope = scopeOf(hub, token)
  if (!scope || !isSignedBy(policy, token)) return undefined
  if (tokens.size >= mostTokens) tokens.clear()
  const verified = { policy, scope, expires: token.expiry * 1000 }
  tokens.set(text, verified)
  return verified
}

/** The resource's segments after the host, which may come with a scheme and a port; undefined for another host. */
function scopeOf({ name }: Hub, { resource }: SasToken): readonly string[] | undefined {
  const [host = '', ...scope] = withoutTrailingSlashes(resource.replace(/^[a-z]+:\/\//i, '')).split('/')
  return host.replace(/:\d+$/, '').toLowerCase() === name ? scope : undefined
}

function isSignedBy({ keys }: Policy, token: SasToken): boolean {
  return keys.some((key) => {
    const expected = expectedSignature(token, key)
    return expected.length === token.signature.length && timingSafeEqual(expected, token.signature)
  })
}

function unauthorized(message: string): HubRefusal {
  return new HubRefusal('IotHubUnauthorizedAccess', `Unauthorized: ${message}`)
}
