import type { Key } from './key.ts'
import type { JsonObject } from '../base/json.ts'

/** How an identity proves itself. A thumbprint is SHA-1 or SHA-256 in upper-case hex. */
export type Authentication =
  | { readonly type: 'sas'; readonly primary: Key; readonly secondary: Key }
  | { readonly type: 'selfSigned'; readonly primary: string | undefined; readonly secondary: string | undefined }
  /** Registered only: a hub has no CA certificates, so nothing proves it. */
  | { readonly type: 'certificateAuthority' }
  | { readonly type: 'none' }

export type Status = 'enabled' | 'disabled'

/** A device, or a module of one. */
export interface Identity {
  readonly deviceId: string
  /** Empty for the device itself. */
  readonly moduleId: string
  /** Changes when an identity of the same name is made anew. */
  readonly generation: string
  /** Changes with every write to the row: the guard of read-modify-write. */
  readonly revision: number
  readonly etag: string
  readonly status: Status
  readonly statusReason: string | undefined
  /** Milliseconds since 1970; 0 is never. */
  readonly statusUpdated: number
  readonly authentication: Authentication
  readonly edge: boolean
  readonly scope: string | undefined
  readonly parentScopes: readonly string[]
  readonly managedBy: string | undefined
  readonly connectionUpdated: number
  readonly lastActivity: number
}

/** What a hub knows besides the record. */
export interface Presence {
  readonly connected: boolean
  readonly pendingMessages: number
}

/** `device` or `device/module`: the MQTT client identifier, and the name by which a live connection is known. */
export function clientOf({ deviceId, moduleId }: Pick<Identity, 'deviceId' | 'moduleId'>): string {
  return moduleId === '' ? deviceId : `${deviceId}/${moduleId}`
}

/** The identity as the service API gives it. [service-wire §12.2] */
export function identityJson(identity: Identity, { connected, pendingMessages }: Presence): JsonObject {
  const { moduleId } = identity
  const shared = {
    deviceId: identity.deviceId,
    ...(moduleId === '' ? {} : { moduleId, managedBy: identity.managedBy ?? null }),
    generationId: identity.generation,
    etag: identity.etag,
    connectionState: connected ? 'Connected' : 'Disconnected',
    connectionStateUpdatedTime: time(identity.connectionUpdated),
    lastActivityTime: time(identity.lastActivity),
    cloudToDeviceMessageCount: pendingMessages,
    authentication: authenticationJson(identity.authentication),
  }
  if (moduleId !== '') return shared
  return {
    ...shared,
    status: identity.status,
    statusReason: identity.statusReason ?? null,
    statusUpdatedTime: time(identity.statusUpdated),
    capabilities: { iotEdge: identity.edge },
    ...(identity.scope === undefined ? {} : { deviceScope: identity.scope }),
    ...(identity.parentScopes.length === 0 ? {} : { parentScopes: identity.parentScopes }),
  }
}

/** Both thumbprints as JSON; null where there is none. */
export function thumbprintsJson(authentication: Authentication): JsonObject {
  return authentication.type === 'selfSigned'
    ? {
        primaryThumbprint: authentication.primary ?? null,
        secondaryThumbprint: authentication.secondary ?? null,
      }
    : { primaryThumbprint: null, secondaryThumbprint: null }
}

/** A moment in the form of the service's JSON; the year 1 for never. [service-wire §12.2] */
export function time(milliseconds: number): string {
  return milliseconds === 0 ? '0001-01-01T00:00:00Z' : new Date(milliseconds).toISOString()
}

function authenticationJson(authentication: Authentication): JsonObject {
  const keys = authentication.type === 'sas' ? authentication : undefined
  return {
    type: authentication.type,
    symmetricKey: {
      primaryKey: keys?.primary.reveal() ?? null,
      secondaryKey: keys?.secondary.reveal() ?? null,
    },
    x509Thumbprint: thumbprintsJson(authentication),
  }
}
