import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import { toAsciiJson, type Json } from '../../base/json.ts'
import { Refusal, type RefusalReason } from '../../model/refusal.ts'
import type { ProvisioningService } from '../../model/service.ts'
import { timestamp, type Clocks } from '../../base/time.ts'
import { tellFailure } from '../../registration/standing.ts'
import { Conflict, type Store } from '../../store/store.ts'
import { header, type HttpApi, type HttpRequest, type HttpResponse } from '../../wire/http.ts'
import { jsonFault, parseJson } from '../../base/json.ts'
import type { AdministrativeLine } from './administrative-line.ts'
import { demandInstance, findInstance } from '../../instances/instance-resource.ts'
import { may, type Authority, type Principal } from '../../access/principal.ts'
import { findRoute, placeOf, type Answer, type Route } from './route.ts'
import { printable } from '../../base/printable.ts'
import { auditUnavailable } from '../audit-unavailable.ts'

export interface ManagementApiParts extends Clocks {
  readonly store: Store
  readonly authority: Authority
  readonly routes: readonly Route[]
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

/**
 * The control plane: instances and what belongs to them, shaped as Azure's resource manager, and who may call. `handle` answers
 * whatever it is given and never rejects. [service-wire §8]
 */
export function managementApi(parts: ManagementApiParts): HttpApi {
  const { clock, monotonic, log } = parts
  return {
    largestBody,
    owns: () => true,
    handle: async (request) => {
      const startedAt = monotonic()
      const moments = () => ({ now: clock(), durationMs: monotonic() - startedAt })
      const call: Progress = { trackingId: randomUUID() }
      try {
        const answer = await answerTo(request, call, parts, (route) => {
          if (!changes(route) || !parts.intend) return
          if (!parts.intend(lineOf(request, call, moments(), 'begun'))) throw auditUnavailable()
        })
        if (changes(call.route)) log.audit(lineOf(request, call, moments(), { answer }))
        return success(answer, call.trackingId)
      } catch (error) {
        const thrown = error instanceof Conflict ? new Refusal('ResourceChanged', 'a write found another state') : error
        if (!(thrown instanceof Refusal)) log.fault(thrown, call.trackingId)
        tellFailure(request.peer.standing, thrown)
        log.audit(lineOf(request, call, moments(), { thrown }))
        return failure(thrown, call.trackingId)
      }
    },
  }
}

/** What is known of a call so far. */
interface Progress {
  readonly trackingId: string
  route?: Route
  principal?: Principal | undefined
}

async function answerTo(
  request: HttpRequest,
  call: Progress,
  parts: ManagementApiParts,
  intend: (route: Route) => void,
): Promise<Answer> {
  const { store, authority, routes } = parts
  const { route, parameters } = findRoute(routes, request.method, request.path)
  call.route = route
  const principal = route.permission === 'public' ? undefined : await authenticate(request, authority)
  if (principal) request.peer.standing?.proved()
  call.principal = principal
  const { instance } = parameters
  if (principal && route.permission !== 'any' && route.permission !== 'public') {
    // Asked before the instance is looked for, so that nobody learns which names there are.
    const at = route.everywhere ? '*' : (instance ?? '*')
    if (!may(principal, route.permission, at)) {
      const where = at === '*' ? 'the whole deployment' : at
      throw new Refusal(
        'ManagementRoleMissing',
        `${principal.id} has no role that allows ${route.operationName} at ${where}`,
      )
    }
  }
  const service = instance === undefined ? undefined : await instanceOf(route, parameters, store)
  const body = await readBody(request)
  intend(route)
  return route.run({ request, principal, parameters, service, body, trackingId: call.trackingId })
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

async function instanceOf(
  route: Route,
  parameters: Readonly<Record<string, string>>,
  store: Store,
): Promise<ProvisioningService | undefined> {
  const place = placeOf({ parameters })
  return route.absentInstance ? findInstance(store, place) : demandInstance(store, place)
}

async function readBody(request: HttpRequest): Promise<Json | undefined> {
  const body = await request.body()
  if (body === 'aborted') throw new Refusal('BodyMalformed', 'the body did not come to its end')
  if (body === 'overlong') throw new Refusal('BodyTooLarge', `the body is longer than ${largestBody} bytes`)
  if (body.length === 0) return undefined
  const text = body.toString('utf8')
  const value = parseJson(text)
  if (value === undefined) throw new Refusal('BodyMalformed', `the body ${jsonFault(text)}`)
  return value
}

/** Reads are not worth a line each: a dashboard makes thousands. Showing keys is. */
function changes(route: Route | undefined): boolean {
  return route !== undefined && (route.method !== 'GET' || route.permission === 'keys')
}

function lineOf(
  request: HttpRequest,
  { trackingId, route, principal }: Progress,
  { now, durationMs }: { readonly now: number; readonly durationMs: number },
  outcome: 'begun' | { readonly answer?: Answer; readonly thrown?: unknown },
): AdministrativeLine {
  const begun = outcome === 'begun'
  const { answer, thrown } = begun ? {} : outcome
  const refusal = thrown instanceof Refusal ? thrown : undefined
  const status = thrown === undefined ? statusOf(answer ?? {}) : (refusal?.status ?? 500)
  return {
    time: timestamp(now),
    category: 'Administrative',
    operationName: route?.operationName ?? 'Unknown',
    resource: request.path.slice(0, 1024),
    resultType: begun ? 'Begun' : status < 400 ? 'Success' : status < 500 ? 'ClientError' : 'Failure',
    resultSignature: begun ? '' : String(refusal?.errorCode ?? status),
    resultDescription: refusal?.message ?? '',
    durationMs,
    correlationId: trackingId,
    callerIpAddress: request.peer.remoteAddress,
    ...(principal && { principal: principal.id }),
    ...(answer?.change && { change: { before: answer.change.before, after: answer.change.after } }),
  }
}

function statusOf({ status, json, text }: Answer): number {
  return status ?? (json === undefined && text === undefined ? 204 : 200)
}

function success(answer: Answer, trackingId: string): HttpResponse {
  const { json, text, headers } = answer
  const status = statusOf(answer)
  if (json === undefined && text === undefined) {
    return { status, headers: { ...commonHeaders(trackingId), ...headers } }
  }
  return {
    status,
    headers: { ...commonHeaders(trackingId), ...jsonHeader, ...headers },
    body: text ?? toAsciiJson(json ?? null),
  }
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
  return {
    status,
    headers: {
      ...commonHeaders(trackingId),
      ...jsonHeader,
      ...retryHeader(refusal),
      ...(status === 401 && challenge(refusal?.reason)),
    },
    body: toAsciiJson({ code: status, httpStatusCode, message, details, trackingId, error }),
  }
}

/** [RFC 6750 §3] */
function challenge(reason: RefusalReason | undefined): Readonly<Record<string, string>> {
  return { 'WWW-Authenticate': reason === 'ManagementTokenMissing' ? 'Bearer' : 'Bearer error="invalid_token"' }
}

function retryHeader(refusal: Refusal | undefined): Readonly<Record<string, string>> {
  return refusal?.retryAfter === undefined ? {} : { 'Retry-After': String(Math.ceil(refusal.retryAfter)) }
}

const jsonHeader = { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store' }

function commonHeaders(trackingId: string): Readonly<Record<string, string>> {
  return { 'x-ms-request-id': trackingId, 'Strict-Transport-Security': 'max-age=31536000; includeSubDomains' }
}
