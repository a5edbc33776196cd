import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { memberRefusal } from '../model/members.ts'

const deepest = 32

/** The request's body as an object, or the refusal of it; deeper than 32 levels is refused, whoever looks at it. */
export function bodyObject(body: Json | undefined): JsonObject {
  if (!isJsonObject(body)) throw memberRefusal('', 'is not a JSON object')
  if (!isShallow(body, deepest)) throw memberRefusal('', `is nested deeper than ${deepest} levels`)
  return body
}

function isShallow(value: Json | undefined, left: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return left > 0 && Object.values(value).every((inner: Json | undefined) => isShallow(inner, left - 1))
}
