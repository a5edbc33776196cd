import type { EnrollingInstance } from '../../enrollment/enrolling-instance.ts'
import type { Enrollment } from '../../model/enrollment.ts'
import type { Json } from '../../base/json.ts'
import type { HttpRequest } from '../../wire/http.ts'
import type { HttpRoute } from '../../wire/http/router.ts'
import type { Caller } from '../../access/authorization.ts'
import type { DataAction } from '../../access/data-action.ts'

/** One thing that a client can ask for. */
export interface ServiceRoute extends HttpRoute {
  /** What the audit log calls it, and what it is done to. [service-wire §14.4] */
  readonly operationName: 'Upsert' | 'Get' | 'Delete' | 'Query' | 'BulkOperation' | 'GetAttestationMechanism'
  readonly type: 'IndividualEnrollment' | 'EnrollmentGroup' | 'Registration'
  readonly action: DataAction
  /** How many operations it is for the throttle; absent: one. */
  readonly cost?: (body: Json | undefined) => number
  readonly run: (call: ServiceCall) => Promise<ServiceAnswer>
}

/** A request that was admitted. */
export interface ServiceCall {
  readonly request: HttpRequest
  readonly caller: Caller
  readonly instance: EnrollingInstance
  /** The `:id` of the path, decoded; empty where the path has none. */
  readonly id: string
  readonly body: Json | undefined
}

/** What a call came to. */
export interface ServiceAnswer {
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
export function warning(warnings: readonly string[]): Pick<ServiceAnswer, 'headers' | 'notice'> {
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
