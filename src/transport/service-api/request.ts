import { Refusal } from '../../model/refusal.ts'
import type { HttpRequest } from '../../wire/http.ts'

/** In bytes. [service-wire §14.1] */
export const largestBody = 96 * 1024

/** Published versions; all behave alike. [service-wire §2.1] */
const apiVersions = new Set([
  '2018-04-01',
  '2018-09-01-preview',
  '2018-11-01',
  '2019-03-31',
  '2019-04-15',
  '2021-06-01',
  '2021-10-01',
  '2025-07-01-preview',
  '2026-04-01',
])

/** The api-version that the client speaks; refuses its absence, and unknown ones unless any is accepted. */
export function readApiVersion({ query }: HttpRequest, acceptAny: boolean): string {
  const version = query.get('api-version')
  if (!version) throw new Refusal('ApiVersionMissing', 'there is no api-version')
  if (!apiVersions.has(version) && !(acceptAny && /^[\w.-]{1,40}$/.test(version))) {
    throw new Refusal('ApiVersionMissing', 'the api-version is not one of the published ones')
  }
  return version
}
