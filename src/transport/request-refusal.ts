import { Refusal } from '../model/refusal.ts'
import { shown } from '../base/printable.ts'
import type { HttpRequest } from '../wire/http.ts'
import type { BodyFault } from '../wire/http/json-body.ts'
import type { Unrouted } from '../wire/http/router.ts'

/** The refusal of a request that no route is for, or whose body cannot be had. */
export function requestRefusal(
  why: Unrouted | BodyFault,
  { method, path }: Pick<HttpRequest, 'method' | 'path'>,
  largestBody: number,
): Refusal {
  switch (why) {
    case 'undecodable':
      return new Refusal('PathUnknown', 'the path is not percent-encoded properly')
    case 'unknownPath':
      return new Refusal('PathUnknown', `no resource has the path of ${shown(method)} ${shown(path)}`)
    case 'aborted':
      return new Refusal('BodyMalformed', 'the body did not come to its end')
    case 'overlong':
      return new Refusal('BodyTooLarge', `the body is longer than ${largestBody} bytes`)
    case 'mediaType':
      return new Refusal('MediaTypeUnsupported', 'the content type is not JSON')
    default:
      if ('methods' in why) {
        const found = `expected ${why.methods.join(' or ')}, found ${shown(method)}`
        return new Refusal('MethodNotAllowed', found)
      }
      return new Refusal('BodyMalformed', `the body ${why.notJson}`)
  }
}

/** The HTTP status of a refusal; undefined for anything else that is thrown. */
export function statusOf(thrown: unknown): number | undefined {
  return thrown instanceof Refusal ? thrown.status : undefined
}
