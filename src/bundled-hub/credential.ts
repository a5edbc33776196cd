import { createHash, timingSafeEqual } from 'node:crypto'
import { withoutTrailingSlashes } from '../wire/http.ts'
import type { Peer } from '../base/peer.ts'
import { expectedSignature, parseSasToken, type SasToken } from '../wire/sas-token.ts'
import type { Hub } from './hub.ts'
import type { Authentication, Identity } from './identity.ts'
import { findIdentity } from './identity-table.ts'
import type { Key } from './key.ts'

/** A proof that was accepted; a token's is good until `expires`, in milliseconds since 1970. */
export interface AcceptedProof {
  readonly expires: number
}

/**
 * What proves that the other end is the identity: a token under its own keys or those of a policy with DeviceConnect, or,
 * without a token, the client certificate whose thumbprint is registered. Undefined if nothing does. [service-wire §13.1]
 */
export function credentialOf(
  hub: Hub,
  identity: Identity,
  password: string | undefined,
  peer: Peer,
): AcceptedProof | undefined {
  const accepted = [identity.authentication, ...parentAuthentication(hub, identity)]
  if (!password) return accepted.some((one) => hasThumbprint(one, peer)) ? { expires: Infinity } : undefined
  const token = parseSasToken(password)
  if (!token || token.expiry * 1000 <= hub.clock()) return undefined
  const path = pathOf(hub, identity)
  const keys = isFor(token, path) ? accepted.flatMap(keysOf) : []
  const proven = [...keys, ...policyKeys(hub, token, path)].some((key) => isSigned(token, key))
  return proven ? { expires: token.expiry * 1000 } : undefined
}

/** An edge device's hub and agent may also prove themselves as the device does. [service-wire §13.4] */
function parentAuthentication(hub: Hub, { deviceId, moduleId }: Identity): Authentication[] {
  if (moduleId !== '$edgeHub' && moduleId !== '$edgeAgent') return []
  const device = findIdentity(hub.database, hub.name, deviceId)
  return device ? [device.authentication] : []
}

/** What a token of this identity is for. */
export function pathOf({ name }: Hub, { deviceId, moduleId }: Pick<Identity, 'deviceId' | 'moduleId'>): string {
  return `${name}/devices/${deviceId}${moduleId === '' ? '' : `/modules/${moduleId}`}`
}

/** True if the token is for this path. */
export function isFor({ resource }: SasToken, path: string): boolean {
  return resourcesOf(resource).includes(path) || resourcesOf(resource).some((one) => isEdgeParent(one, path))
}

function isEdgeParent(resource: string, path: string): boolean {
  return path === `${resource}/modules/$edgeHub` || path === `${resource}/modules/$edgeAgent`
}

function policyKeys({ policies }: Hub, token: SasToken, path: string): readonly Key[] {
  const policy = policies.get(token.keyName.toLowerCase())
  if (!policy?.rights.has('DeviceConnect')) return []
  return resourcesOf(token.resource).some((one) => path === one || path.startsWith(`${one}/`)) ? policy.keys : []
}

/** The host compares without case; some clients encode the device's name twice. */
function resourcesOf(resource: string): string[] {
  const at = resource.indexOf('/')
  const once = at < 0 ? resource.toLowerCase() : resource.slice(0, at).toLowerCase() + resource.slice(at)
  const trimmed = withoutTrailingSlashes(once)
  try {
    return [trimmed, decodeURIComponent(trimmed)]
  } catch {
    return [trimmed]
  }
}

function isSigned(token: SasToken, key: Key): boolean {
  const expected = expectedSignature(token, key)
  return expected.length === token.signature.length && timingSafeEqual(expected, token.signature)
}

function keysOf(authentication: Authentication): readonly Key[] {
  return authentication.type === 'sas' ? [authentication.primary, authentication.secondary] : []
}

function hasThumbprint(authentication: Authentication, { certificateChain: [leaf] }: Peer): boolean {
  if (authentication.type !== 'selfSigned' || !leaf) return false
  const presented = ['sha256', 'sha1'].map((algorithm) =>
    createHash(algorithm).update(leaf).digest('hex').toUpperCase(),
  )
  return presented.some((print) => print === authentication.primary || print === authentication.secondary)
}
