import { randomUUID } from 'node:crypto'
import type { Offered } from '../../enrollment/enrolling-instance.ts'
import type { EnrollmentRules } from '../../enrollment/enrollment-rules.ts'
import { ordinaryRules } from '../../enrollment/enrollment-rules.ts'
import { toAsciiJson } from '../../base/json.ts'
import { Refusal } from '../../model/refusal.ts'
import type { ProvisioningService } from '../../model/service.ts'
import type { Clocks } from '../../base/time.ts'
import { tellFailure } from '../../registration/standing.ts'
import type { Store } from '../../store/store.ts'
import type { HttpApi, HttpRequest, HttpResponse } from '../../wire/http.ts'
import { auditUnavailable } from '../audit-unavailable.ts'
import { errorBody } from '../error-body.ts'
import { auditLine, isAudited, type AuditLine, type Told } from './audit.ts'
import { authenticate, authorize, type BearerAuthority } from '../../access/authorization.ts'
import { enrollmentGroups } from './enrollment-groups.ts'
import { enrollments } from './enrollments.ts'
import { metered, owedUsage, type Owed } from '../../instances/metered.ts'
import { registrations } from './registrations.ts'
import { largestBody, readApiVersion, readBody } from './request.ts'
import { findRoute, idOf, segmentsOf, type Answer, type Route } from './route.ts'

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

const routes: readonly Route[] = [...enrollments, ...enrollmentGroups, ...registrations]
const families = new Set(routes.map(({ path }) => path[0]))

/**
 * The service operations endpoint: how operators' programs manage what devices are permitted. `handle` answers whatever
 * it is given and never rejects. [service-wire §1-7]
 */
export function serviceApi(parts: ServiceApiParts): HttpApi {
  const { clock, monotonic, log, store } = parts
  const owed = owedUsage(store)
  return {
    largestBody,
    owns: (path) => families.has(segmentsOf(path)?.[0]?.toLowerCase()),
    handle: async (request) => {
      const startedAt = monotonic()
      const moments = () => ({ now: clock(), durationMs: monotonic() - startedAt })
      const call: Progress = {
        trackingId: randomUUID(),
        remoteAddress: request.peer.remoteAddress,
        id: '',
        apiVersion: (request.query.get('api-version') ?? '').slice(0, 40),
      }
      try {
        const answer = await answerTo(request, call, { ...parts, owed }, (route) => {
          if (!isAudited(route.operationName) || !parts.intend) return
          if (!parts.intend(auditLine({ ...call, ...moments(), begun: true }, parts))) throw auditUnavailable()
        })
        log.audit(auditLine({ ...call, ...moments(), answer }, parts))
        if (answer.notice) log.notice(answer.notice, call.trackingId)
        return success(answer, call.trackingId)
      } catch (error) {
        if (!(error instanceof Refusal)) log.fault(error, call.trackingId)
        tellFailure(request.peer.standing, error)
        const { errorCode, status, json } = errorBody(error, { trackingId: call.trackingId, now: clock() })
        const detail = error instanceof Refusal ? error.message : 'a fault, see the log'
        log.audit(auditLine({ ...call, ...moments(), refused: { errorCode, detail } }, parts))
        return failure(error, status, errorCode, json, call.trackingId)
      }
    },
  }
}

/** What is known of a call so far; filled as it goes, so that a refused call is logged with all that was known. */
type Progress = {
  -readonly [
    Member in keyof Told as Exclude<Member, 'now' | 'durationMs' | 'begun' | 'answer' | 'refused'>
  ]: Told[Member]
}

async function answerTo(
  request: HttpRequest,
  call: Progress,
  parts: ServiceApiParts & { readonly owed: Owed },
  intend: (route: Route) => void,
): Promise<Answer> {
  const { clock, kinds, policies, rules = ordinaryRules, acceptAnyApiVersion = true } = parts
  const segments = segmentsOf(request.path)
  if (!segments) throw new Refusal('PathUnknown', 'the path cannot be decoded')
  const route = findRoute(routes, request.method, segments)
  call.route = route
  call.id = idOf(route, segments)

  const caller = await authenticate(request, segments, parts)
  request.peer.standing?.proved()
  call.caller = caller
  const { service } = caller
  if (parts.admits?.(request.peer.remoteAddress, service) === false) {
    throw new Refusal('AddressNotAllowed', `${request.peer.remoteAddress} is rejected by a rule`)
  }
  authorize(caller, route.action)
  readApiVersion(request, acceptAnyApiVersion)
  const body = await readBody(request)
  const wait = parts.throttle?.(service, route.cost?.(body) ?? 1)
  if (wait !== undefined) throw new Refusal('Throttled', 'service operations of this instance', { retryAfter: wait })

  const bill = metered(parts, service, `${route.operationName} ${route.type}`, clock)
  const decided = typeof rules === 'function' ? rules(service) : rules
  const instance = { idScope: service.idScope, store: bill.store, clock, kinds, policies, rules: decided }
  intend(route)
  const answer = await route.run({ request, caller, instance, id: call.id, body })
  await bill.settle(answer.operations ?? 1)
  return answer
}

function success({ json, headers }: Answer, trackingId: string): HttpResponse {
  if (json === undefined) return { status: 204, headers: { ...commonHeaders(trackingId), ...headers } }
  return {
    status: 200,
    headers: { ...commonHeaders(trackingId), ...jsonHeader, ...headers },
    body: toAsciiJson(json),
  }
}

function failure(error: unknown, status: number, errorCode: number, body: string, trackingId: string): HttpResponse {
  const retryAfter = error instanceof Refusal ? error.retryAfter : undefined
  return {
    status,
    headers: {
      ...commonHeaders(trackingId),
      ...jsonHeader,
      'x-ms-error-code': String(errorCode),
      ...(retryAfter !== undefined && { 'Retry-After': String(Math.ceil(retryAfter)) }),
    },
    body,
  }
}

const jsonHeader = { 'Content-Type': 'application/json; charset=utf-8' }

function commonHeaders(trackingId: string): Readonly<Record<string, string>> {
  return { 'x-ms-request-id': trackingId, 'Strict-Transport-Security': 'max-age=31536000; includeSubDomains' }
}
