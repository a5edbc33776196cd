import type { Offered } from '../../enrollment/enrolling-instance.ts'
import type { EnrollmentRules } from '../../enrollment/enrollment-rules.ts'
import { ordinaryRules } from '../../enrollment/enrollment-rules.ts'
import { toAsciiJson } from '../../base/json.ts'
import { shown } from '../../base/printable.ts'
import { Refusal } from '../../model/refusal.ts'
import type { ProvisioningService } from '../../model/service.ts'
import type { Clocks } from '../../base/time.ts'
import type { Store } from '../../store/store.ts'
import type { HttpApi, HttpRequest } from '../../wire/http.ts'
import { httpApi, type AdmittedCall } from '../../wire/http/api.ts'
import type { BodyFault } from '../../wire/http/json-body.ts'
import { routerOf, type Unrouted } from '../../wire/http/router.ts'
import { auditUnavailable } from '../audit-unavailable.ts'
import { errorBody } from '../error-body.ts'
import { respond } from '../http-answer.ts'
import { requestRefusal, statusOf } from '../request-refusal.ts'
import { auditLine, isAudited, type AuditLine } from './audit.ts'
import { authenticate, authorize, type BearerAuthority, type Caller } from '../../access/authorization.ts'
import { enrollmentGroups } from './enrollment-groups.ts'
import { enrollments } from './enrollments.ts'
import { metered as meteredStore, owedUsage, type Owed } from '../../instances/metered.ts'
import { registrations } from './registrations.ts'
import { largestBody, readApiVersion } from './request.ts'
import type { ServiceAnswer, ServiceRoute } from './route.ts'

export interface ServiceApiParts extends Clocks, Offered {
  readonly store: Store
  readonly log: {
    readonly audit: (line: AuditLine) => void
    /** What an operator should know of a call that was answered. */
    readonly notice: (text: string, trackingId: string) => void
    /** A fault of ours, under the tracking id that the client was told. */
    readonly fault: (error: unknown, trackingId: string) => void
  }
  /** What the deployment decides; or what it decides for an instance, whose limits are its own. */
  readonly rules?: EnrollmentRules | ((service: ProvisioningService) => EnrollmentRules)
  /** Absent: bearer tokens are refused. */
  readonly bearer?: BearerAuthority
  /** Whether the instance lets this address in at all; absent: yes. [service-wire §1.6] */
  readonly admits?: (remoteAddress: string, service: ProvisioningService) => boolean
  /** Seconds to wait if these operations are too many now; absent: never. Asked after the caller proved who it is. */
  readonly throttle?: (service: ProvisioningService, operations: number) => number | undefined
  /** Tells the audit log of a change that is about to be made; false: it must not be made. Absent: it is told afterwards only. */
  readonly intend?: (line: AuditLine) => boolean
  /** Take api-versions that were never published; default true, so that a future SDK does not break. */
  readonly acceptAnyApiVersion?: boolean
}

const routes: readonly ServiceRoute[] = [...enrollments, ...enrollmentGroups, ...registrations]
const router = routerOf(routes, { idleSlashes: 'one' })

/** The service operations endpoint: how operators' programs manage what devices are permitted. [service-wire §1-7] */
export function serviceApi(parts: ServiceApiParts): HttpApi {
  const { clock, log, store, acceptAnyApiVersion = true } = parts
  const owed = owedUsage(store)
  return httpApi<ServiceRoute, Caller, undefined, ServiceAnswer>(
    {
      router,
      owns: router.owns,
      largestBody,
      bodies: 'json',
      refusal: refusalOf,
      authenticate: ({ request, segments }) => authenticate(request, segments, parts),
      authorize: ({ request, route }, caller) => {
        const { remoteAddress } = request.peer
        if (parts.admits?.(remoteAddress, caller.service) === false) {
          throw new Refusal('AddressNotAllowed', `${remoteAddress} is rejected by a rule`)
        }
        authorize(caller, route.action)
        readApiVersion(request, acceptAnyApiVersion)
        return undefined
      },
      throttle: ({ route, caller: { service }, body }) => {
        const wait = parts.throttle?.(service, route.cost?.(body) ?? 1)
        if (wait === undefined) return
        throw new Refusal('Throttled', 'service operations of this instance', { retryAfter: wait })
      },
      run: async (call) => {
        const answer = await metered(call, owed, parts)
        if (answer.notice) log.notice(answer.notice, call.trackingId)
        return answer
      },
      success: ({ json, headers }, trackingId) =>
        json === undefined
          ? respond({ status: 204, headers }, trackingId)
          : respond({ status: 200, json: toAsciiJson(json), headers }, trackingId),
      failure: (thrown, { trackingId }) => {
        const { errorCode, ...error } = errorBody(thrown, { trackingId, now: clock() })
        const retryAfter = thrown instanceof Refusal ? thrown.retryAfter : undefined
        return respond({ ...error, retryAfter, headers: { 'x-ms-error-code': String(errorCode) } }, trackingId)
      },
      statusOf,
      onFault: log.fault,
      onBegin: (progress, milliseconds) => {
        if (!parts.intend || !isAudited(progress.routed?.route.operationName ?? 'Unknown')) return
        if (!parts.intend(auditLine(progress, 'begun', { now: clock(), milliseconds }, parts))) throw auditUnavailable()
      },
      onEnd: (progress, ended, milliseconds) =>
        log.audit(auditLine(progress, ended, { now: clock(), milliseconds }, parts)),
    },
    parts,
  )
}

/** A path that ends where its ID should stand is a wrong use of the resource, not another resource. [service-wire §0.1, §3.9] */
function refusalOf(why: Unrouted | BodyFault, request: HttpRequest): Refusal {
  if (why === 'unknownPath' && /^\/[^/]*\/?$/.test(request.path))
    return new Refusal('MethodNotAllowed', `${shown(request.method)} is not defined here`)
  if (typeof why === 'string' || 'methods' in why) return requestRefusal(why, request, largestBody)
  const said = `The request body ${why.notJson}.`
  return new Refusal('MemberInvalid', said, { said, info: { member: 'body' } })
}

/** Carries a call out, and bills it. */
async function metered(
  { route, parameters, request, caller, body }: AdmittedCall<ServiceRoute, Caller, undefined>,
  owed: Owed,
  parts: ServiceApiParts,
): Promise<ServiceAnswer> {
  const { clock, store, kinds, policies, rules = ordinaryRules } = parts
  const { service } = caller
  const bill = meteredStore({ store, owed }, service, `${route.operationName} ${route.type}`, clock)
  const decided = typeof rules === 'function' ? rules(service) : rules
  const instance = { idScope: service.idScope, store: bill.store, clock, kinds, policies, rules: decided }
  const answer = await route.run({ request, caller, instance, id: parameters['id'] ?? '', body })
  await bill.settle(answer.operations ?? 1)
  return answer
}
