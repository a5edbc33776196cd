import { STATUS_CODES } from 'node:http'
import { toAsciiJson } from '../../base/json.ts'
import { Refusal, type RefusalReason } from '../../model/refusal.ts'
import type { ProvisioningService } from '../../model/service.ts'
import type { Clocks } from '../../base/time.ts'
import { Conflict, type Store } from '../../store/store.ts'
import { header, type HttpApi, type HttpRequest, type HttpResponse } from '../../wire/http.ts'
import { httpApi, type EndedCall, type Progress } from '../../wire/http/api.ts'
import { routerOf } from '../../wire/http/router.ts'
import type { AdministrativeLine } from './administrative-line.ts'
import { demandInstance, findInstance } from '../../instances/instance-resource.ts'
import { may, type Authority, type Principal } from '../../access/principal.ts'
import { placeOf, type ManagementAnswer, type ManagementRoute } from './route.ts'
import { printable } from '../../base/printable.ts'
import { auditUnavailable } from '../audit-unavailable.ts'
import { auditedCall } from '../audit-line.ts'
import { respond } from '../http-answer.ts'
import { requestRefusal, statusOf } from '../request-refusal.ts'

export interface ManagementApiParts extends Clocks {
  readonly store: Store
  readonly authority: Authority
  readonly routes: readonly ManagementRoute[]
  /** Tells the audit log of a change that is about to be made; false: it must not be made. Absent: it is told afterwards only. */
  readonly intend?: (line: AdministrativeLine) => boolean
  readonly log: {
    readonly audit: (line: AdministrativeLine) => void
    /** A fault of ours, under the tracking id that the client was told. */
    readonly fault: (error: unknown, trackingId: string) => void
  }
}

/** In bytes: an instance with all its hubs and rules, or a revocation list. */
const largestBody = 4 << 20
/** Characters of a path in the audit log. */
const longestResource = 1024

/** The control plane: instances and what belongs to them, shaped as Azure's resource manager, and who may call. [service-wire §8] */
export function managementApi(parts: ManagementApiParts): HttpApi {
  const { clock, log, store, authority, routes } = parts
  return httpApi<ManagementRoute, Principal | undefined, ProvisioningService | undefined, ManagementAnswer>(
    {
      router: routerOf(routes, { idleSlashes: 'all', doubledSlashes: true }),
      largestBody,
      bodies: 'anyType',
      refusal: (why, request) => requestRefusal(why, request, largestBody),
      authenticate: ({ request, route }) =>
        route.permission === 'public' ? undefined : authenticate(request, authority),
      authorize: async ({ route, parameters }, principal) => {
        demandRole(route, parameters['instance'], principal)
        if (parameters['instance'] === undefined) return undefined
        const place = placeOf({ parameters })
        return route.absentInstance ? findInstance(store, place) : demandInstance(store, place)
      },
      run: ({ caller, subject, route, ...call }) =>
        route.run({ ...call, principal: caller, service: subject }).catch((thrown: unknown) => {
          throw thrown instanceof Conflict ? new Refusal('ResourceChanged', 'a write found another state') : thrown
        }),
      success,
      failure: (thrown, { trackingId }) => failure(thrown, trackingId),
      statusOf,
      onFault: log.fault,
      onBegin: (progress, milliseconds) => {
        if (!parts.intend || !changes(progress.routed?.route)) return
        if (!parts.intend(lineOf(progress, 'begun', { now: clock(), milliseconds }))) throw auditUnavailable()
      },
      onEnd: (progress, ended, milliseconds) => {
        if ('answer' in ended && !changes(progress.routed?.route)) return
        log.audit(lineOf(progress, ended, { now: clock(), milliseconds }))
      },
    },
    parts,
  )
}

/** Asked before the instance is looked for, so that nobody learns which names there are. */
function demandRole(
  { permission, everywhere, operationName }: ManagementRoute,
  instance: string | undefined,
  principal: Principal | undefined,
): void {
  if (!principal || permission === 'any' || permission === 'public') return
  const at = everywhere ? '*' : (instance ?? '*')
  if (may(principal, permission, at)) return
  const where = at === '*' ? 'the whole deployment' : at
  throw new Refusal('ManagementRoleMissing', `${principal.id} has no role that allows ${operationName} at ${where}`)
}

async function authenticate(request: HttpRequest, authority: Authority): Promise<Principal> {
  const [, token] = /^Bearer +(\S+)$/i.exec(header(request, 'authorization') ?? '') ?? []
  if (token === undefined) throw new Refusal('ManagementTokenMissing', 'expected Authorization: Bearer <token>')
  try {
    return await authority(token)
  } catch (error) {
    if (error instanceof Refusal && error.reason === 'BearerTokenInvalid') {
      throw new Refusal('ManagementTokenInvalid', error.detail)
    }
    throw error
  }
}

/** Reads are not worth a line each: a dashboard makes thousands. Showing keys is. */
function changes(route: ManagementRoute | undefined): boolean {
  return route !== undefined && (route.method !== 'GET' || route.permission === 'keys')
}

function lineOf(
  { request, trackingId, routed, caller }: Progress<ManagementRoute, Principal | undefined>,
  ended: 'begun' | EndedCall<ManagementAnswer>,
  { now, milliseconds }: { readonly now: number; readonly milliseconds: number },
): AdministrativeLine {
  const answer = ended !== 'begun' && 'answer' in ended ? ended.answer : undefined
  const status = ended !== 'begun' && 'answer' in ended ? { status: statusOfAnswer(ended.answer) } : ended
  const change = answer?.change
  return {
    ...auditedCall({ trackingId, now, milliseconds, ended: status }),
    category: 'Administrative',
    operationName: routed?.route.operationName ?? 'Unknown',
    resource: request.path.slice(0, longestResource),
    callerIpAddress: request.peer.remoteAddress,
    ...(caller && { principal: caller.id }),
    ...(change && { change: { before: change.before, after: change.after } }),
  }
}

function statusOfAnswer({ status, json, text }: ManagementAnswer): number {
  return status ?? (json === undefined && text === undefined ? 204 : 200)
}

function success(answer: ManagementAnswer, trackingId: string): HttpResponse {
  const json = answer.text ?? (answer.json === undefined ? undefined : toAsciiJson(answer.json))
  const headers = { ...(json !== undefined && notStored), ...answer.headers }
  return respond({ status: statusOfAnswer(answer), json, headers }, trackingId)
}

/** `{code, httpStatusCode, message, details}` of this provider, and `error`, which most resource manager clients read. [service-wire §8.2] */
function failure(thrown: unknown, trackingId: string): HttpResponse {
  const refusal = thrown instanceof Refusal ? thrown : undefined
  const status = refusal?.status ?? 500
  const httpStatusCode = (STATUS_CODES[status] ?? 'Error').replaceAll(/[^A-Za-z]/g, '')
  const message = refusal?.publicMessage ?? 'An unexpected error occurred.'
  // Why nobody was recognized is for the log: it would tell a stranger which tokens and issuers there are.
  const details = refusal && status !== 401 ? printable(refusal.detail) : `tracking id ${trackingId}`
  const error = { code: refusal?.reason ?? 'InternalError', message: refusal ? `${message} ${details}` : message }
  return respond(
    {
      status,
      json: toAsciiJson({ code: status, httpStatusCode, message, details, trackingId, error }),
      retryAfter: refusal?.retryAfter,
      headers: { ...notStored, ...(status === 401 && challenge(refusal?.reason)) },
    },
    trackingId,
  )
}

/** [RFC 6750 §3] */
function challenge(reason: RefusalReason | undefined): Readonly<Record<string, string>> {
  return { 'WWW-Authenticate': reason === 'ManagementTokenMissing' ? 'Bearer' : 'Bearer error="invalid_token"' }
}

const notStored = { 'Cache-Control': 'no-store' }
