import { header, withoutTrailingSlashes, type HttpRequest, type HttpResponse } from '../../wire/http.ts'
import type { Hub } from '../hub.ts'
import { asRefusal, HubRefusal, refusalResponse } from '../hub-refusal.ts'
import { authorize, isDevice, type VerifiedTokens } from './authorize.ts'
import { type Operation, resourceAt } from './route.ts'

const apiVersion = /^\d{4}-\d{2}-\d{2}(?:-preview)?$/

/** Answers for the hub that the Host header names; it never rejects: a fault is reported and answered with 500. */
export async function handleRequest(
  hubs: ReadonlyMap<string, { readonly hub: Hub; readonly tokens: VerifiedTokens }>,
  request: HttpRequest,
  clock: () => number,
  onFault: (fault: unknown) => void,
): Promise<HttpResponse> {
  try {
    const found = hubs.get(hostOf(request))
    if (!found) throw new HubRefusal('IotHubNotFound', 'no hub has the name in the Host header')
    const path = segments(request.path)
    const operation = operationAt(path, request.method)
    allow(found.hub, found.tokens, request, path, operation)
    request.peer.standing?.proved()
    if (!apiVersion.test(request.query.get('api-version') ?? '')) {
      throw new HubRefusal('InvalidProtocolVersion', 'api-version is missing or not of the form YYYY-MM-DD[-preview]')
    }
    return await operation.run(found.hub, request)
  } catch (thrown) {
    const error = asRefusal(thrown)
    if (isFailure(error, request)) request.peer.standing?.failed()
    if (error instanceof HubRefusal) return refusalResponse(error, clock())
    onFault(error)
    return refusalResponse(new HubRefusal('ServerError', 'the hub failed'), clock())
  }
}

/** Whether it counts as a failed attempt: no proof, or a request that comes to nothing from somebody who has proved nothing. */
function isFailure(error: unknown, { peer }: HttpRequest): boolean {
  return error instanceof HubRefusal && (error.status === 401 || (error.status < 500 && !peer.standing?.isProven()))
}

function hostOf(request: HttpRequest): string {
  return (header(request, 'host') ?? '').replace(/:\d+$/, '').toLowerCase()
}

function segments(path: string): string[] {
  const raw = withoutTrailingSlashes(path).replace(/^\/+/, '').split('/')
  try {
    return raw.map(decodeURIComponent)
  } catch {
    throw new HubRefusal('ArgumentInvalid', 'the path is not percent-encoded')
  }
}

function operationAt(path: readonly string[], method: string): Operation {
  const resource = resourceAt(path)
  if (!resource) {
    if (/^(?:jobs|configurations|digitaltwins)$/i.test(path[0] ?? '') || path[2] === 'files') {
      throw new HubRefusal('NotImplemented', `${path[0] === 'devices' ? 'file upload' : path[0]} is not offered`)
    }
    throw new HubRefusal('NotFound', 'there is nothing at this path')
  }
  const operation = Object.hasOwn(resource, method) ? resource[method] : undefined
  if (!operation) throw new HubRefusal('MethodNotAllowed', `${method} is not offered at this path`)
  return operation
}

function allow(
  hub: Hub,
  tokens: VerifiedTokens,
  request: HttpRequest,
  path: readonly string[],
  { right, device }: Operation,
): void {
  if (device && isDevice(hub, request, device)) return
  authorize(hub, request, path, right, tokens)
}
