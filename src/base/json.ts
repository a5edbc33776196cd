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

/** What a value is, in words that an operator reads. */
export function kindOf(value: Json | undefined): string {
  if (value === undefined) return 'absent'
  if (value === null) return 'null'
  if (typeof value === 'object') return isJsonObject(value) ? 'an object' : 'a list'
  return { string: 'text', number: 'a number', boolean: 'true or false' }[typeof value as 'string']
}

/** Levels of objects and lists in a JSON text that is read: as many as the cloud's own reader takes, and less than any stack. */
export const deepestJson = 64

/**
 * The JSON text as a value, or undefined if it is not JSON, deeper than `deepestJson` levels, or has a number that no double
 * holds. Every member is kept as a member of its own, one that is called `__proto__` too. A byte order mark before it is not looked at.
 */
export function parseJson(text: string): Json | undefined {
  if (boundsFault(text)) return undefined
  try {
    return JSON.parse(text.startsWith('\ufeff') ? text.slice(1) : text) as Json
  } catch {
    return undefined
  }
}

/** What keeps a text that `parseJson` refused from being read, to be put behind its name: `is not JSON`. */
export function jsonFault(text: string): string {
  return boundsFault(text) ?? 'is not JSON'
}

/** The JSON text that we wrote ourselves, as an object; anything else is a fault. */
export function storedObject(text: unknown): JsonObject {
  const value = typeof text === 'string' ? parseJson(text) : undefined
  if (!isJsonObject(value)) throw new Error('the database holds something that is not a JSON object')
  return value
}

const beyondAscii = /[\u007f-\uffff]/g

/**
 * Write JSON in ASCII only, with `\uXXXX` for everything else: Node's MQTT provisioning transport decodes bodies as
 * 7-bit ASCII. Absent members are left out. [device-wire §0.3, §0.4]
 */
export function toAsciiJson(value: Json): string {
  return JSON.stringify(value).replace(beyondAscii, (unit) => '\\u' + unit.charCodeAt(0).toString(16).padStart(4, '0'))
}

const code = {
  quote: 0x22,
  backslash: 0x5c,
  zero: 0x30,
  nine: 0x39,
  list: 0x5b,
  listEnd: 0x5d,
  object: 0x7b,
  objectEnd: 0x7d,
}
const number = /[\d.eE+-]+/y

/** Looks at the text only as far as its bounds need; whether it is JSON is not decided here. */
function boundsFault(text: string): string | undefined {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === code.quote) {
      at = endOfText(text, at)
    } else if (unit === code.list || unit === code.object) {
      if (++depth > deepestJson) return `is nested deeper than ${deepestJson} levels`
    } else if (unit === code.listEnd || unit === code.objectEnd) {
      depth--
    } else if (unit >= code.zero && unit <= code.nine) {
      number.lastIndex = at
      const [digits = ''] = number.exec(text) ?? []
      if (Number(digits) === Infinity) return 'has a number that is too large'
      at += digits.length - 1
    }
  }
  return undefined
}

/** Where the quote stands that ends the text which begins at `start`; the end of all if none does. */
function endOfText(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let escapes = 0
    while (text.charCodeAt(at - 1 - escapes) === code.backslash) escapes++
    if (escapes % 2 === 0) return at
  }
  return text.length
}
