import type { HttpRequest, HttpResponse } from '../../wire/http.ts'
import { readJsonBody } from '../../wire/http/json-body.ts'
import { HubRefusal } from '../hub-refusal.ts'
import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts'

const json = { 'Content-Type': 'application/json; charset=utf-8' }

/** 200 with a JSON body; `etag` is quoted into its header. */
export function ok(body: Json, headers: Readonly<Record<string, string>> = {}): HttpResponse {
  return { status: 200, headers: { ...json, ...headers }, body: JSON.stringify(body) }
}

/** 200 with a resource and its entity tag. */
export function tagged(body: Json, etag: string): HttpResponse {
  return { status: 200, headers: { ...json, ETag: `"${etag}"` }, body: JSON.stringify(body) }
}

export const noContent: HttpResponse = { status: 204 }

/** The body; refuses one that is too long, or did not come to its end. */
export async function bodyOf(request: HttpRequest): Promise<Buffer> {
  const body = await request.body()
  if (body === 'overlong') throw new HubRefusal('MessageTooLarge', 'the body is too long')
  if (body === 'aborted') throw new HubRefusal('IotHubFormatError', 'the body did not come to its end')
  return body
}

/** The body as JSON, undefined if there is none; refuses with IotHubFormatError. */
async function bodyJson(request: HttpRequest): Promise<Json | undefined> {
  const read = await readJsonBody(request, 'anyType')
  if ('json' in read) return read.json
  if (read.fault === 'overlong') throw new HubRefusal('MessageTooLarge', 'the body is too long')
  const why = typeof read.fault === 'object' ? read.fault.notJson : 'did not come to its end'
  throw new HubRefusal('IotHubFormatError', `the body ${why}`)
}

/** The body as a JSON object; refuses with IotHubFormatError. */
export async function bodyObject(request: HttpRequest): Promise<JsonObject> {
  const value = await bodyJson(request)
  if (isJsonObject(value)) return value
  throw new HubRefusal('IotHubFormatError', 'the body is not a JSON object')
}

/** A query parameter or header that must be a whole number from 1 to `most`. */
export function bounded(text: string | null | undefined, name: string, otherwise: number, most: number): number {
  if (text === null || text === undefined || text === '') return otherwise
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (number < 1) throw new HubRefusal('ArgumentInvalid', `${name} is not a positive whole number`)
  return Math.min(number, most)
}
