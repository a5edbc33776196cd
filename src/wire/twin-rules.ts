import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'

/** Which part of a twin a document is for; each has its own size limit. */
export type TwinPart = 'tags' | 'desired' | 'reported'

/** What is wrong with a twin document; `tooLarge` tells sizes apart from forms. */
export interface TwinFault {
  readonly tooLarge: boolean
  readonly message: string
}

/** Sizes in bytes of UTF-8 and depth in levels. [service-wire §13.3] */
export const twinLimits = {
  size: { tags: 8192, desired: 32768, reported: 32768 },
  name: 1024,
  text: 4096,
  depth: 10,
} as const

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const forbidden = /[.$ \u0000-\u001f\u007f-\u009f]/

/** What an IoT Hub would refuse about names, texts, numbers and depth; undefined if nothing. Nulls are deletions. */
export function patchFault(part: TwinPart, patch: JsonObject): TwinFault | undefined {
  return objectFault(patch, part, 1)
}

/** Whether the document, as it will be kept, is beyond its part's limit. */
export function sizeFault(part: TwinPart, document: JsonObject): TwinFault | undefined {
  const size = weight(document)
  const limit = twinLimits.size[part]
  return size > limit ? fault(`${part} would take ${size} bytes; the limit is ${limit}`, true) : undefined
}

function objectFault(object: JsonObject, path: string, depth: number): TwinFault | undefined {
  if (depth > twinLimits.depth) return fault(`${path} is deeper than ${twinLimits.depth} levels`)
  for (const [name, value] of Object.entries(object)) {
    if (name === '' || forbidden.test(name)) {
      return fault(`${path} has a name that is empty or contains '.', '$', a blank or a control character`)
    }
    if (Buffer.byteLength(name) > twinLimits.name)
      return fault(`${path} has a name longer than ${twinLimits.name} bytes`)
    const found = valueFault(value, `${path}.${name.slice(0, 64)}`, depth)
    if (found) return found
  }
  return undefined
}

function valueFault(value: Json | undefined, path: string, depth: number): TwinFault | undefined {
  if (isJsonObject(value)) return objectFault(value, path, depth + 1)
  if (Array.isArray(value)) return arrayFault(value, path, depth + 1)
  if (typeof value === 'string' && Buffer.byteLength(value) > twinLimits.text) {
    return fault(`${path} is a text longer than ${twinLimits.text} bytes`)
  }
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) > 2 ** 52) {
    return fault(`${path} is beyond the integers from -2^52 to 2^52`)
  }
  return undefined
}

function arrayFault(array: readonly Json[], path: string, depth: number): TwinFault | undefined {
  if (depth > twinLimits.depth) return fault(`${path} is deeper than ${twinLimits.depth} levels`)
  for (const [index, value] of array.entries()) {
    if (value === null) return fault(`${path} has a null in an array`)
    const found = valueFault(value, `${path}[${index}]`, depth)
    if (found) return found
  }
  return undefined
}

/** Names and texts by their length, numbers 8, booleans 4; what holds them weighs nothing. */
function weight(value: Json | undefined): number {
  switch (typeof value) {
    case 'string':
      return Buffer.byteLength(value)
    case 'number':
      return 8
    case 'boolean':
      return 4
    case 'object':
      if (value === null) return 0
      if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + weight(item), 0)
      return Object.entries(value).reduce((sum, [name, item]) => sum + Buffer.byteLength(name) + weight(item), 0)
    default:
      return 0
  }
}

function fault(message: string, tooLarge = false): TwinFault {
  return { tooLarge, message }
}
