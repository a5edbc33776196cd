import type { EnrollingInstance } from '../../enrollment/enrolling-instance.ts'
import type { Enrollment } from '../../model/enrollment.ts'
import type { Json } from '../../base/json.ts'
import { Refusal } from '../../model/refusal.ts'
import type { HttpRequest } from '../../wire/http.ts'
import type { Caller } from '../../access/authorization.ts'
import type { DataAction } from '../../access/data-action.ts'

/** One thing that a client can ask for. */
export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Segments in lower case; `:id` stands for any one. */
  readonly path: readonly string[]
  /** What the audit log calls it, and what it is done to. [service-wire §14.4] */
  readonly operationName: 'Upsert' | 'Get' | 'Delete' | 'Query' | 'BulkOperation' | 'GetAttestationMechanism'
  readonly type: 'IndividualEnrollment' | 'EnrollmentGroup' | 'Registration'
  readonly action: DataAction
  /** How many operations it is for the throttle; absent: one. */
  readonly cost?: (body: Json | undefined) => number
  readonly run: (call: Call) => Promise<Answer>
}

/** A request that was admitted. */
export interface Call {
  readonly request: HttpRequest
  readonly caller: Caller
  readonly instance: EnrollingInstance
  /** The `:id` of the path, decoded; empty where the path has none. */
  readonly id: string
  readonly body: Json | undefined
}

/** What a call came to. */
export interface Answer {
  /** Absent: 204. */
  readonly json?: Json
  readonly headers?: Readonly<Record<string, string>>
  /** What the operator should know of it, for the log. */
  readonly notice?: string | undefined
  /** How many operations it was for the bill; absent: one. [service-wire §14.2] */
  readonly operations?: number
  /** What was changed. */
  readonly changes?: readonly { readonly before?: Enrollment | undefined; readonly after?: Enrollment }[]
}

/** What was done, though something is wrong with it: in a header for the caller, and in the log. */
export function warning(warnings: readonly string[]): Pick<Answer, 'headers' | 'notice'> {
  if (warnings.length === 0) return {}
  const text = warnings.join('; ')
  return {
    headers: { 'x-hubward-warning': headerText(text) },
    notice: `an enrollment was written with a warning: ${text}`,
  }
}

/** A header takes nothing else than visible ASCII. */
export function headerText(text: string): string {
  return text.replaceAll(/[^ -~]/gu, '?')
}

/** The segments of a path, each decoded once, without the trailing slash; undefined if they cannot be. */
export function segmentsOf(path: string): string[] | undefined {
  try {
    return path.replace(/\/$/, '').split('/').slice(1).map(decodeURIComponent)
  } catch {
    return undefined
  }
}

/** The route for this, in any letter case; refuses paths and methods that there are not. [service-wire §0.1, §3.9] */
export function findRoute(routes: readonly Route[], method: string, segments: readonly string[]): Route {
  const here = routes.filter(({ path }) => leadsTo(path, segments))
  const route = here.find((candidate) => candidate.method === method)
  if (route) return route
  // A path that ends where its ID should stand is a wrong use of the resource, not another resource.
  if (here.length > 0 || segments.length === 1) throw new Refusal('MethodNotAllowed', `${method} is not defined here`)
  throw new Refusal('PathUnknown', 'no resource has this path')
}

/** The `:id` in these segments. */
export function idOf({ path }: Route, segments: readonly string[]): string {
  return segments[path.indexOf(':id')] ?? ''
}

function leadsTo(path: readonly string[], segments: readonly string[]): boolean {
  return (
    path.length === segments.length &&
    path.every((part, index) => (part === ':id' ? segments[index] !== '' : part === segments[index]!.toLowerCase()))
  )
}
