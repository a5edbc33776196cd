import { header, type HttpRequest } from '../../wire/http.ts'
import { admitted } from '../admission.ts'
import type { Hub } from '../hub.ts'
import { HubRefusal } from '../hub-refusal.ts'
import type { Right } from '../policy.ts'
import { policyToken, type PolicyToken } from '../policy-token.ts'
import type { Address } from '../registry.ts'

/** Tokens of policies that were verified before, so that a caller's hour-long token costs one look-up per request. */
export type VerifiedTokens = Map<string, PolicyToken>

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
export function isDevice(hub: Hub, request: HttpRequest, address: Address): boolean {
  return admitted(hub, address, header(request, 'authorization'), request.peer) !== undefined
}

function remembered(hub: Hub, text: string, tokens: VerifiedTokens): PolicyToken | undefined {
  const verified = tokens.get(text)
  return verified && verified.expires > hub.clock() ? verified : undefined
}

function verify(hub: Hub, text: string, tokens: VerifiedTokens): PolicyToken | undefined {
  const verified = policyToken(hub, text)
  if (!verified) return undefined
  if (tokens.size >= mostTokens) tokens.clear()
  tokens.set(text, verified)
  return verified
}

function unauthorized(message: string): HubRefusal {
  return new HubRefusal('IotHubUnauthorizedAccess', `Unauthorized: ${message}`)
}
