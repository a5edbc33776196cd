import { randomBytes } from 'node:crypto'
import { sameBytes, Secret } from '../base/secret.ts'
import type { ProvisioningService, SharedAccessPolicy } from '../model/service.ts'
import { Refusal } from '../model/refusal.ts'
import type { Clock } from '../base/time.ts'
import type { Reader } from '../store/store.ts'
import { header, type HttpRequest } from '../wire/http.ts'
import { expectedSignature, parseSasToken, type SasToken } from '../wire/sas-token.ts'
import { sasTokenFault } from '../wire/sas-token-fault.ts'
import { includesRight, rightFor, type DataAction } from './data-action.ts'

/** Somebody who proved who they are to one instance, and what they may do there. */
export interface Caller {
  readonly service: ProvisioningService
  /** For the audit log. */
  readonly principal:
    { readonly kind: 'sas'; readonly policy: string } | { readonly kind: 'bearer'; readonly id: string }
  readonly may: (action: DataAction) => boolean
}

/** Whom a bearer token speaks for; throws a Refusal if nobody. [service-wire §1.5] */
export type BearerAuthority = (token: string, service: ProvisioningService) => Promise<Omit<Caller, 'service'>>

export interface Authorities {
  readonly store: Reader
  readonly clock: Clock
  /** Absent: bearer tokens are refused. */
  readonly bearer?: BearerAuthority
}

/**
 * Who is calling, and which instance: the one with the host name of the request or, behind a proxy that changes it, of the
 * token. `segments` is the request's path, decoded. Every refusal reads 401 Unauthorized. [service-wire §1.3]
 */
export async function authenticate(
  request: HttpRequest,
  segments: readonly string[],
  authorities: Authorities,
): Promise<Caller> {
  const authorization = header(request, 'authorization')
  if (!authorization) throw new Refusal('ServiceTokenMissing', 'there is no Authorization header')
  const asked = await serviceOf(header(request, 'host'), authorities.store)
  const [, scheme, credential] = /^(SharedAccessSignature|Bearer) +(.*)$/is.exec(authorization) ?? []
  if (scheme === undefined || credential === undefined) {
    const found = `the Authorization header is neither SharedAccessSignature nor Bearer: the token ${sasTokenFault(authorization)}`
    throw new Refusal('ServiceTokenMalformed', found)
  }
  if (scheme.toLowerCase() === 'bearer') {
    if (!asked) throw new Refusal('ServiceTokenForAnotherResource', 'the Host header names no instance')
    if (!authorities.bearer) throw new Refusal('ServiceTokenMalformed', 'bearer tokens are not accepted')
    return { ...(await authorities.bearer(credential, asked)), service: asked }
  }
  const token = parseSasToken(credential)
  if (!token) throw new Refusal('ServiceTokenMalformed', `the token ${sasTokenFault(credential)}`)
  return verifySas(token, asked, segments, authorities)
}

/** Refuse unless the caller may do this. Azure answers 401 for a missing right, not 403. [service-wire §1.4] */
export function authorize({ may, principal }: Caller, action: DataAction): void {
  if (!may(action)) throw new Refusal('ServiceRightMissing', `${nameOf(principal)} may not ${action}`)
}

async function verifySas(
  token: SasToken,
  asked: ProvisioningService | undefined,
  segments: readonly string[],
  { store, clock }: Authorities,
): Promise<Caller> {
  const { host, scope } = signedFor(token)
  const service = await serviceOf(host, store)
  if (!service || (asked && asked.idScope !== service.idScope)) {
    signedBy(token, nobodys)
    throw new Refusal('ServiceTokenForAnotherResource', 'the token is for a host that is not this instance')
  }
  if (service.disableLocalAuth) {
    throw new Refusal('LocalAuthDisabled', `${service.name} takes bearer tokens only: shared keys are switched off`)
  }
  const late = clock() / 1000 - token.expiry
  if (late > 0) throw new Refusal('ServiceTokenExpired', `expired ${Math.ceil(late)} s ago`)
  const policy = token.keyName ? await store.policies.get(service.idScope, token.keyName) : undefined
  const signed = signedBy(token, policy ?? nobodys)
  if (!policy) throw new Refusal('ServicePolicyUnknown', 'the instance has no policy of this name')
  if (!signed) throw new Refusal('ServiceTokenSignatureInvalid', `not signed with a key of ${policy.keyName}`)
  if (!scope.every((segment, index) => segment === segments[index]?.toLowerCase())) {
    throw new Refusal('ServiceTokenForAnotherResource', 'the token is for another path')
  }
  return {
    service,
    principal: { kind: 'sas', policy: policy.keyName },
    may: (action) => includesRight(policy.rights, rightFor[action]),
  }
}

type Keys = Pick<SharedAccessPolicy, 'primaryKey' | 'secondaryKey'>

/** Tried where there is no policy of a name, so that looking for one takes as long. */
const nobodys: Keys = { primaryKey: new Secret(randomBytes(32)), secondaryKey: new Secret(randomBytes(32)) }

function signedBy(token: SasToken, { primaryKey, secondaryKey }: Keys): boolean {
  return [primaryKey, secondaryKey].some((key) => sameBytes(expectedSignature(token, key), token.signature))
}

/** The host of `sr`, with or without scheme and port, and the path below which the token is good, in lower case. */
function signedFor({ resource }: SasToken): { host: string; scope: string[] } {
  const [host = '', ...scope] = resource
    .replace(/^[a-z]+:\/\//i, '')
    .toLowerCase()
    .split('/')
  return { host, scope: scope.at(-1) === '' ? scope.slice(0, -1) : scope }
}

async function serviceOf(host: string | undefined, store: Reader): Promise<ProvisioningService | undefined> {
  const hostName = host?.toLowerCase().replace(/:\d*$/, '')
  return hostName ? store.services.byHostName(hostName) : undefined
}

function nameOf(principal: Caller['principal']): string {
  return principal.kind === 'sas' ? `policy ${principal.policy}` : principal.id
}
