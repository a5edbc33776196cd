import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'

/** Apply a JSON merge patch: null removes, objects merge, anything else (arrays too) replaces. [RFC 7396] */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const merged = new Map(Object.entries(target))
  for (const [name, value] of Object.entries(patch)) {
    const before = merged.get(name)
    if (value === null || value === undefined) merged.delete(name)
    else if (isJsonObject(value)) merged.set(name, mergePatch(isJsonObject(before) ? before : {}, value))
    else merged.set(name, value)
  }
  return Object.fromEntries(merged)
}

/** The merge patch that takes `from` to `to`: what a device must be told when its desired properties are replaced. */
export function difference(from: JsonObject, to: JsonObject): JsonObject {
  const patch = new Map<string, Json>()
  for (const name of Object.keys(from)) if (!Object.hasOwn(to, name)) patch.set(name, null)
  for (const [name, value] of Object.entries(to)) {
    const before = Object.hasOwn(from, name) ? from[name] : undefined
    if (value === undefined || JSON.stringify(before) === JSON.stringify(value)) continue
    patch.set(name, isJsonObject(value) && isJsonObject(before) ? difference(before, value) : value)
  }
  return Object.fromEntries(patch)
}

/**
 * The metadata of a collection after a patch: a tree of the same shape, with `stamp` on every member that the patch wrote
 * and on the objects above it. [service-wire §13.3]
 */
export function mergeMetadata(metadata: JsonObject, patch: JsonObject, stamp: JsonObject): JsonObject {
  const merged = new Map(Object.entries({ ...metadata, ...stamp }))
  for (const [name, value] of Object.entries(patch)) {
    const before = merged.get(name)
    if (value === null || value === undefined) merged.delete(name)
    else if (isJsonObject(value)) merged.set(name, mergeMetadata(isJsonObject(before) ? before : {}, value, stamp))
    else merged.set(name, stamp)
  }
  return Object.fromEntries(merged)
}
