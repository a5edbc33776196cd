import { jsonFault, parseJson, type Json } from '../../base/json.ts'
import { header, type HttpRequest } from '../http.ts'

/** Why a body could not be had: it broke off, is too long, says that it is no JSON, or is none, in words. */
export type BodyFault = 'aborted' | 'overlong' | 'mediaType' | { readonly notJson: string }

/** The content type of JSON and of formats that are made of it, with whatever parameters. */
const jsonType = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i

/** Reads a request's body as JSON; without a body the value is undefined. A byte order mark before it is not looked at. */
export async function readJsonBody(
  request: HttpRequest,
  mediaTypes: 'anyType' | 'json',
): Promise<{ readonly json: Json | undefined } | { readonly fault: BodyFault }> {
  const body = await request.body()
  if (typeof body === 'string') return { fault: body }
  if (body.length === 0) return { json: undefined }
  const type = header(request, 'content-type')
  if (mediaTypes === 'json' && type !== undefined && !jsonType.test(type.trim())) return { fault: 'mediaType' }
  const text = body.toString('utf8')
  const json = parseJson(text)
  return json === undefined ? { fault: { notJson: jsonFault(text) } } : { json }
}
