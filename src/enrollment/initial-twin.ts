import type { InitialTwin } from '../model/enrollment.ts'
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts'
import { memberRefusal, type Members } from './members.ts'

/** What an IoT hub allows in a section of a twin. [service-wire §3.6, §13.3] */
const limits = { tags: 8 * 1024, desired: 32 * 1024, depth: 10, key: 1024, text: 4096, integer: 2 ** 52 }

// What the hub writes itself. Accepted, because clients write back what they read; dropped on the way to the hub.
const hubMembers = new Set(['$version', '$metadata', '$lastUpdated'])

/** The twin that the request asks for, checked against the hub's own rules, so that no device discovers a mistake. */
export function readInitialTwin(body: Members): InitialTwin | undefined {
  const twin = body.object('initialTwin')
  if (!twin) return undefined
  const tags = twin.json('tags')
  const desired = twin.object('properties')?.json('desired')
  if (tags) checkSection('initialTwin.tags', tags, limits.tags)
  if (desired) checkSection('initialTwin.properties.desired', desired, limits.desired)
  return { ...(tags && { tags }), ...(desired && { properties: { desired } }) }
}

function checkSection(path: string, section: JsonObject, limit: number): void {
  const size = Object.entries(section)
    .filter(([key]) => !hubMembers.has(key))
    .reduce((sum, [key, value]) => sum + sizeOfMember(path, key, value, 1), 0)
  if (size > limit) throw memberRefusal(path, `has ${size} bytes; an IoT hub takes ${limit}`)
}

function sizeOfMember(path: string, key: string, value: Json | undefined, depth: number): number {
  const length = Buffer.byteLength(key)
  if (key === '' || length > limits.key) throw memberRefusal(path, `has a key of ${length} bytes`)
  if (forbiddenInKey.test(key)) throw memberRefusal(path, "has a key with '.', '$', blank or a control character")
  return length + sizeOf(path, value ?? null, depth)
}

/** As the hub counts: text by its UTF-8 bytes, numbers as 8, booleans as 4. */
function sizeOf(path: string, value: Json, depth: number): number {
  if (typeof value === 'string') {
    const length = Buffer.byteLength(value)
    if (length > limits.text)
      throw memberRefusal(path, `has a text of ${length} bytes; an IoT hub takes ${limits.text}`)
    return length
  }
  if (typeof value === 'number') {
    if (Number.isInteger(value) && Math.abs(value) > limits.integer)
      throw memberRefusal(path, 'has an integer beyond 2^52')
    return 8
  }
  if (typeof value === 'boolean') return 4
  if (value === null) return 0
  if (depth >= limits.depth) throw memberRefusal(path, `is nested deeper than ${limits.depth} levels`)
  if (isJsonObject(value)) {
    return Object.entries(value).reduce((sum, [key, inner]) => sum + sizeOfMember(path, key, inner, depth + 1), 0)
  }
  return value.reduce<number>((sum, item) => {
    if (item === null) throw memberRefusal(path, 'has a null in an array')
    return sum + sizeOf(path, item, depth + 1)
  }, 0)
}

// oxlint-disable-next-line no-control-regex
const forbiddenInKey = /[.$ \u0000-\u001f\u007f-\u009f]/
