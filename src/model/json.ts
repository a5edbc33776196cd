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

const beyondAscii = /[\u007f-\uffff]/g

/**
 * Write JSON in ASCII only, with `\uXXXX` for everything else: Node's MQTT provisioning transport decodes bodies as
 * 7-bit ASCII. Absent members are left out. [device-wire §0.3, §0.4]
 */
export function toAsciiJson(value: Json): string {
  return JSON.stringify(value).replace(beyondAscii, (unit) => '\\u' + unit.charCodeAt(0).toString(16).padStart(4, '0'))
}
