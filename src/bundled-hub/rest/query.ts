import { header, type HttpRequest, type HttpResponse } from '../../wire/http.ts'
import type { Hub } from '../hub.ts'
import { HubRefusal } from '../hub-refusal.ts'
import { twinPage, twinQuery, type Cursor } from '../twin-query.ts'
import { bodyObject, bounded, ok } from './answer.ts'

const pageSize = { usual: 100, most: 1000 }

/** POST /devices/query: a page of twins; goes on where the continuation of the page before says. [service-wire §13.4] */
export async function query(hub: Hub, request: HttpRequest): Promise<HttpResponse> {
  const text = (await bodyObject(request))['query']
  if (typeof text !== 'string') throw new HubRefusal('ArgumentInvalid', 'query is not a text')
  const parsed = twinQuery(text)
  const size = bounded(header(request, 'x-ms-max-item-count'), 'x-ms-max-item-count', pageSize.usual, pageSize.most)
  const { items, last } = await twinPage(hub, parsed, cursor(header(request, 'x-ms-continuation')), size)
  // Without the header clients know that this page is the last: an empty one makes Node loop. [service-wire §2.3]
  const continuation: Record<string, string> = last === undefined ? {} : { 'x-ms-continuation': token(last) }
  return ok(items, { 'x-ms-item-type': 'Twin', ...continuation })
}

function token(at: Cursor): string {
  return Buffer.from(JSON.stringify(at)).toString('base64url')
}

function cursor(text: string | undefined): Cursor {
  if (text === undefined || text === '') return ['', '']
  try {
    const at: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    if (Array.isArray(at) && typeof at[0] === 'string' && typeof at[1] === 'string') return [at[0], at[1]]
  } catch {
    // Not one of ours, as any other that is not.
  }
  throw new HubRefusal('ArgumentInvalid', 'x-ms-continuation is not one that this hub gave')
}
