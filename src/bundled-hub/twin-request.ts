import { HubRefusal } from './hub-refusal.ts'
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import type { TwinChange } from './twin.ts'

const added = new Set(['$version', '$metadata', '$lastUpdated', '$lastUpdatedVersion'])

/** Read `{tags, properties: {desired, reported}}`; refuses with ArgumentInvalid. What a GET added is left out. */
export function twinChange(body: JsonObject): TwinChange {
  const properties = part(body['properties'], 'properties') ?? {}
  return {
    tags: part(body['tags'], 'tags'),
    desired: collection(properties['desired'], 'desired'),
    reported: collection(properties['reported'], 'reported'),
  }
}

/** A collection without the `$version` and `$metadata` that clients send back as they read them. */
export function withoutMetadata(collection: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(collection).filter(([name]) => !added.has(name)))
}

function collection(value: Json | undefined, name: string): JsonObject | undefined {
  const object = part(value, name)
  return object && withoutMetadata(object)
}

function part(value: Json | undefined, name: string): JsonObject | undefined {
  if (value === undefined || value === null) return undefined
  if (isJsonObject(value)) return value
  throw new HubRefusal('ArgumentInvalid', `${name} is not an object`)
}
