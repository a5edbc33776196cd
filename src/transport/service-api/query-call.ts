import { queryPage, type Queryable } from '../../enrollment/page.ts'
import { isJsonObject } from '../../base/json.ts'
import { Refusal } from '../../model/refusal.ts'
import { header, type HttpRequest } from '../../wire/http.ts'
import { headerText, type ServiceAnswer, type ServiceCall } from './route.ts'

const pageSize = { ordinary: 100, most: 1000 }

/** Answer a query with one page, in the form that Java, C# and C demand. [service-wire §6] */
export async function answerQuery<T>(
  { request, instance, body }: ServiceCall,
  collection: Queryable<T>,
  itemType: 'Enrollment' | 'EnrollmentGroup' | 'DeviceRegistration',
): Promise<ServiceAnswer> {
  const { items, continuation, whole, notUnderstood } = await queryPage(
    collection,
    {
      query: queryText(body),
      limit: readLimit(request),
      continuation: header(request, 'x-ms-continuation') || undefined,
    },
    instance,
  )
  return {
    json: items,
    notice: notUnderstood && `a query was not understood, so everything is listed: ${notUnderstood}`,
    headers: {
      'x-ms-item-type': whole ? itemType : 'unknown',
      'X-Content-Type-Options': 'nosniff',
      ...(notUnderstood && { 'x-hubward-query': `not understood, everything is listed: ${headerText(notUnderstood)}` }),
      // Absent on the last page: an empty one makes Node loop.
      ...(continuation !== undefined && { 'x-ms-continuation': continuation }),
    },
  }
}

/** No body, no `query`, null and an empty text all ask for everything. */
function queryText(body: ServiceCall['body']): string {
  if (body === undefined) return ''
  const query = isJsonObject(body) ? (body['query'] ?? '') : undefined
  if (typeof query !== 'string') throw new Refusal('QueryMalformed', 'the body is not {"query": "…"}')
  return query
}

function readLimit(request: HttpRequest): number {
  const given = header(request, 'x-ms-max-item-count')
  if (given === undefined) return pageSize.ordinary
  if (!/^[1-9]\d{0,8}$/.test(given))
    throw new Refusal('QueryMalformed', 'x-ms-max-item-count is not a positive integer')
  return Math.min(Number(given), pageSize.most)
}
