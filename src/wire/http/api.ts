import { randomUUID } from 'node:crypto'
import type { Json } from '../../base/json.ts'
import type { Clocks } from '../../base/time.ts'
import { tellRefused } from '../../base/peer.ts'
import type { HttpApi, HttpRequest, HttpResponse } from '../http.ts'
import { readJsonBody, type BodyFault } from './json-body.ts'
import { isRouted, type HttpRoute, type Routed, type Router, type Unrouted } from './router.ts'

/** What is known of a call so far. It grows as the call goes its way, so that one that is refused can be told of. */
export interface Progress<R extends HttpRoute, Caller> {
  readonly request: HttpRequest
  /** The name by which the client and the log know the call. */
  readonly trackingId: string
  readonly receivedAt: number
  readonly routed?: Routed<R>
  readonly caller?: Caller
}

/** A call whose route was found. */
export interface Arrived<R extends HttpRoute> extends Routed<R> {
  readonly request: HttpRequest
  readonly trackingId: string
}

/** A call that may be carried out. */
export interface AdmittedCall<R extends HttpRoute, Caller, Subject> extends Arrived<R> {
  readonly caller: Caller
  readonly subject: Subject
  /** Undefined if there was none, or if the API leaves bodies to its routes. */
  readonly body: Json | undefined
}

/** How a call ended. */
export type EndedCall<Answer> = { readonly answer: Answer } | { readonly thrown: unknown }

/** An API, as far as it is not the same as every other: its routes, who may call, and how answers and errors look. */
export interface HttpApiDescription<R extends HttpRoute, Caller, Subject, Answer> {
  readonly router: Router<R>
  /** Absent: every path. */
  readonly owns?: (path: string) => boolean
  /** In bytes. */
  readonly largestBody: number
  /** `raw`: routes read the body themselves. `json`: another content type is refused; `anyType`: whatever it is called. */
  readonly bodies: 'raw' | 'json' | 'anyType'
  /** What is thrown where there is no route, or no body that can be read. */
  readonly refusal: (why: Unrouted | BodyFault, request: HttpRequest) => Error
  /** Who calls; undefined where nobody is asked for a proof. */
  readonly authenticate: (arrived: Arrived<R>) => Caller | Promise<Caller>
  /** Throws if the caller may not call this; gives what the call is about, before its body is read. */
  readonly authorize: (arrived: Arrived<R>, caller: Caller) => Subject | Promise<Subject>
  /** Throws if there is too much of it now. Absent: there never is. */
  readonly throttle?: (call: AdmittedCall<R, Caller, Subject>) => void
  readonly run: (call: AdmittedCall<R, Caller, Subject>) => Answer | Promise<Answer>
  readonly success: (answer: Answer, trackingId: string) => HttpResponse
  /** How what was thrown is told to the client, after as long as that should take. */
  readonly failure: (thrown: unknown, progress: Progress<R, Caller>) => HttpResponse | Promise<HttpResponse>
  /** The HTTP status of what was thrown on purpose; undefined for a fault of ours. */
  readonly statusOf: (thrown: unknown) => number | undefined
  /** Absent: `failure` tells of faults and of failed proofs, since the API has other wires than this. */
  readonly onFault?: (fault: unknown, trackingId: string) => void
  /** Told of each call that is about to be carried out; throws if it must not be. */
  readonly onBegin?: (progress: Progress<R, Caller>, milliseconds: number) => void
  /** Told how each call ended, such as for an audit log. */
  readonly onEnd?: (progress: Progress<R, Caller>, ended: EndedCall<Answer>, milliseconds: number) => void
}

/**
 * The API that is described. Every request goes the same way: its route, its caller, what it may, its body, the work, the answer;
 * whatever is thrown becomes an error of the API's own shape, and counts against its connection if it should. `handle` never rejects.
 */
export function httpApi<R extends HttpRoute, Caller, Subject, Answer>(
  api: HttpApiDescription<R, Caller, Subject, Answer>,
  { monotonic }: Pick<Clocks, 'monotonic'>,
): HttpApi {
  async function carriedOut(progress: Writable<Progress<R, Caller>>): Promise<Answer> {
    const { request, trackingId } = progress
    const routed = api.router.find(request.method, request.path)
    if (!isRouted(routed)) throw api.refusal(routed, request)
    progress.routed = routed
    const arrived = { ...routed, request, trackingId }
    const caller = await api.authenticate(arrived)
    progress.caller = caller
    if (caller !== undefined) request.peer.standing?.proved()
    const subject = await api.authorize(arrived, caller)
    const call = { ...arrived, caller, subject, body: await bodyOf(request) }
    api.throttle?.(call)
    api.onBegin?.(progress, monotonic() - progress.receivedAt)
    return api.run(call)
  }

  async function bodyOf(request: HttpRequest): Promise<Json | undefined> {
    if (api.bodies === 'raw') return undefined
    const read = await readJsonBody(request, api.bodies)
    if ('fault' in read) throw api.refusal(read.fault, request)
    return read.json
  }

  return {
    owns: api.owns ?? (() => true),
    largestBody: api.largestBody,
    handle: async (request) => {
      const progress: Progress<R, Caller> = { request, trackingId: randomUUID(), receivedAt: monotonic() }
      const end = (ended: EndedCall<Answer>) => api.onEnd?.(progress, ended, monotonic() - progress.receivedAt)
      try {
        const answer = await carriedOut(progress)
        end({ answer })
        return api.success(answer, progress.trackingId)
      } catch (thrown) {
        const status = api.statusOf(thrown)
        if (api.onFault && status !== undefined) tellRefused(request.peer.standing, status)
        if (status === undefined) api.onFault?.(thrown, progress.trackingId)
        end({ thrown })
        return api.failure(thrown, progress)
      }
    },
  }
}

type Writable<T> = { -readonly [Member in keyof T]: T[Member] }
