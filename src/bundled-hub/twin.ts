import type { SqlRow } from '../sqlite/database.ts'
import { type Identity, type Presence, thumbprintsJson, time } from './identity.ts'
import { type JsonObject, storedObject } from '../base/json.ts'
import { HubRefusal } from './hub-refusal.ts'
import { difference, mergeMetadata, mergePatch } from './merge-patch.ts'
import { patchFault, sizeFault, type TwinFault, type TwinPart } from '../wire/twin-rules.ts'

/** Desired or reported properties, with when each was written. */
export interface Collection {
  readonly properties: JsonObject
  readonly metadata: JsonObject
  readonly version: number
}

export interface Twin {
  /** Changes with tags and desired properties; the ETag is made of it. [service-wire §13.3] */
  readonly version: number
  readonly modelId: string
  readonly tags: JsonObject
  readonly desired: Collection
  readonly reported: Collection
}

/** What a writer wants changed; absent parts stay, and null clears a part. */
export interface TwinChange {
  readonly tags?: JsonObject | null | undefined
  readonly desired?: JsonObject | null | undefined
  readonly reported?: JsonObject | undefined
}

/** The twin every identity is born with: versions are 1. [service-wire §13.3] */
export function newTwin(now: number): Twin {
  const stamp = { $lastUpdated: time(now) }
  return {
    version: 1,
    modelId: '',
    tags: {},
    desired: { properties: {}, metadata: { ...stamp, $lastUpdatedVersion: 1 }, version: 1 },
    reported: { properties: {}, metadata: stamp, version: 1 },
  }
}

/** The twin with the patches merged in; refuses what the twin rules forbid. Empty patches change nothing. */
export function patched(twin: Twin, change: TwinChange, now: number): Twin {
  const { reported } = change
  const tags = change.tags === null ? difference(twin.tags, {}) : change.tags
  const desired = change.desired === null ? difference(twin.desired.properties, {}) : change.desired
  const service = isChange(tags) || isChange(desired)
  return {
    version: twin.version + (service ? 1 : 0),
    modelId: twin.modelId,
    tags: isChange(tags) ? kept('tags', mergePatch(twin.tags, checked('tags', tags))) : twin.tags,
    desired: isChange(desired) ? patchedCollection('desired', twin.desired, desired, now) : twin.desired,
    reported: isChange(reported) ? patchedCollection('reported', twin.reported, reported, now) : twin.reported,
  }
}

/** The twin with whole parts put in the place of the old; refuses as `patched` does. */
export function replaced(twin: Twin, { tags, desired }: TwinChange, now: number): Twin {
  const patch = {
    tags: tags && difference(twin.tags, checked('tags', tags)),
    desired: desired && difference(twin.desired.properties, checked('desired', desired)),
  }
  return patched(twin, patch, now)
}

/** The entity tag of this state of the twin. [service-wire §13.3] */
export function twinEtag({ version }: Twin): string {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(version))
  return bytes.toString('base64')
}

/** The twin as the service API gives it. [service-wire §13.3] */
export function twinJson(identity: Identity, twin: Twin, { connected, pendingMessages }: Presence): JsonObject {
  return {
    deviceId: identity.deviceId,
    ...(identity.moduleId === '' ? {} : { moduleId: identity.moduleId }),
    etag: twinEtag(twin),
    deviceEtag: identity.etag,
    status: identity.status,
    statusReason: identity.statusReason,
    statusUpdateTime: time(identity.statusUpdated),
    connectionState: connected ? 'Connected' : 'Disconnected',
    lastActivityTime: time(identity.lastActivity),
    cloudToDeviceMessageCount: pendingMessages,
    authenticationType: identity.authentication.type,
    x509Thumbprint: thumbprintsJson(identity.authentication),
    modelId: twin.modelId,
    version: twin.version,
    tags: twin.tags,
    properties: { desired: collectionJson(twin.desired), reported: collectionJson(twin.reported) },
    capabilities: { iotEdge: identity.edge },
    deviceScope: identity.scope,
    parentScopes: identity.parentScopes.length === 0 ? undefined : identity.parentScopes,
  }
}

/** What a device reads of its own twin: no tags, no metadata. [service-wire §13.2] */
export function deviceTwinJson({ desired, reported }: Twin): JsonObject {
  return {
    desired: { ...desired.properties, $version: desired.version },
    reported: { ...reported.properties, $version: reported.version },
  }
}

/** The twin in the order of the table's columns. */
export function twinParameters({ version, modelId, tags, desired, reported }: Twin): (string | number)[] {
  return [version, modelId, JSON.stringify(tags), ...collectionParameters(desired), ...collectionParameters(reported)]
}

/** The twin that a row holds. */
export function storedTwin(row: SqlRow): Twin {
  return {
    version: Number(row['twin_version']),
    modelId: String(row['model_id']),
    tags: storedObject(row['tags']),
    desired: {
      properties: storedObject(row['desired']),
      metadata: storedObject(row['desired_metadata']),
      version: Number(row['desired_version']),
    },
    reported: {
      properties: storedObject(row['reported']),
      metadata: storedObject(row['reported_metadata']),
      version: Number(row['reported_version']),
    },
  }
}

function patchedCollection(part: TwinPart, before: Collection, patch: JsonObject, now: number): Collection {
  const version = before.version + 1
  const stamp = { $lastUpdated: time(now), ...(part === 'desired' ? { $lastUpdatedVersion: version } : {}) }
  return {
    properties: kept(part, mergePatch(before.properties, checked(part, patch))),
    metadata: mergeMetadata(before.metadata, patch, stamp),
    version,
  }
}

function isChange(patch: JsonObject | undefined): patch is JsonObject {
  return patch !== undefined && Object.keys(patch).length > 0
}

function checked(part: TwinPart, patch: JsonObject): JsonObject {
  refuse(patchFault(part, patch))
  return patch
}

function kept(part: TwinPart, document: JsonObject): JsonObject {
  refuse(sizeFault(part, document))
  return document
}

function refuse(fault: TwinFault | undefined): void {
  if (fault) throw new HubRefusal(fault.tooLarge ? 'MessageTooLarge' : 'ArgumentInvalid', fault.message)
}

function collectionJson({ properties, metadata, version }: Collection): JsonObject {
  return { ...properties, $metadata: metadata, $version: version }
}

function collectionParameters({ properties, metadata, version }: Collection) {
  return [JSON.stringify(properties), JSON.stringify(metadata), version]
}
