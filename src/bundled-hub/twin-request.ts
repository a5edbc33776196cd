import { HubRefusal } from './hub-refusal.ts'
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import type { TwinChange } from './twin.ts'

const added = new Set(['$version', '$metadata', '$lastUpdated', '$lastUpdatedVersion'])

/**
 * Read `{tags, properties: {desired, reported}}`; refuses with ArgumentInvalid. What a GET added is left out. A part that is null
 * is to be cleared, and `properties` that are null stand for the desired ones: the others are the device's own.
 */
export function twinChange(body: JsonObject): TwinChange {
  const properties = part(body['properties'], 'properties')
  return {
    tags: part(body['tags'], 'tags'),
    desired: properties && collection(properties['desired'], 'desired'),
    reported: (properties && collection(properties['reported'], 'reported')) ?? undefined,
  }
}

/** A collection without the `$version` and `$metadata` that clients send back as they read them. */
export function withoutMetadata(collection: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(collection).filter(([name]) => !added.has(name)))
}

function collection(value: Json | undefined, name: string): JsonObject | null | undefined {
  const object = part(value, name)
  return object && withoutMetadata(object)
}

function part(value: Json | undefined, name: string): JsonObject | null | undefined {
  if (value === undefined || value === null || isJsonObject(value)) return value
  throw new HubRefusal('ArgumentInvalid', `${name} is not an object`)
}
