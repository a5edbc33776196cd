/** Any value that JSON can carry. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject

/** A JSON object. Members that are `undefined` are not written. */
export interface JsonObject {
  readonly [member: string]: Json | undefined
}

/** True for JSON objects: not null, not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The JSON text as a value, or undefined if it is not JSON. */
export function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

/** The JSON text that we wrote ourselves, as an object; anything else is a fault. */
export function storedObject(text: unknown): JsonObject {
  const value = typeof text === 'string' ? parseJson(text) : undefined
  if (!isJsonObject(value)) throw new Error('the database holds something that is not a JSON object')
  return value
}
