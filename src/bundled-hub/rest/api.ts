import { header, type HttpApi, type HttpRequest, type HttpResponse } from '../../wire/http.ts'
import { httpApi } from '../../wire/http/api.ts'
import type { BodyFault } from '../../wire/http/json-body.ts'
import type { Unrouted } from '../../wire/http/router.ts'
import type { Hub } from '../hub.ts'
import { asRefusal, HubRefusal, refusalResponse } from '../hub-refusal.ts'
import { tellTurnedAway } from '../tell-turned-away.ts'
import { authorize, isDevice, type VerifiedTokens } from './authorize.ts'
import { router, type HubRoute } from './routes.ts'

const apiVersion = /^\d{4}-\d{2}-\d{2}(?:-preview)?$/
/** A hundred devices with their twins, or four of the largest messages. */
const largestBody = 1 << 20
/** What an IoT Hub has beside what is offered here. */
const notOffered = /^\/(?:jobs|configurations|digitaltwins)(?:\/|$)/i
const fileUpload = /^\/devices\/[^/]+\/files(?:\/|$)/i

/** The REST API of the hubs, each by the name in the Host header. [service-wire §12.2, §13.4] */
export function hubApi(
  hubs: ReadonlyMap<string, Hub>,
  clock: () => number,
  onFault: (fault: unknown) => void,
): HttpApi {
  const tokens = new Map(Array.from(hubs.keys(), (name): [string, VerifiedTokens] => [name, new Map()]))
  const told = (thrown: unknown): HubRefusal => {
    const error = asRefusal(thrown)
    return error instanceof HubRefusal ? error : new HubRefusal('ServerError', 'the hub failed')
  }
  return httpApi<HubRoute, Hub, undefined, HttpResponse>(
    {
      router,
      owns: (path) => router.owns(path) || notOffered.test(path),
      largestBody,
      bodies: 'raw',
      refusal: refusalOf,
      authenticate: ({ request, segments, route, parameters }) => {
        const hub = hubs.get(hostOf(request))
        if (!hub) throw new HubRefusal('IotHubNotFound', 'no hub has the name in the Host header')
        const address = { deviceId: parameters['device'] ?? '', moduleId: '' }
        if (route.own && isDevice(hub, request, address)) return hub
        try {
          authorize(hub, request, segments, route.right, tokens.get(hub.name)!)
        } catch (error) {
          const token = header(request, 'authorization')
          if (route.own) tellTurnedAway(hub, address, { protocol: 'Http', peer: request.peer, token })
          throw error
        }
        return hub
      },
      authorize: ({ request }) => {
        if (apiVersion.test(request.query.get('api-version') ?? '')) return undefined
        throw new HubRefusal('InvalidProtocolVersion', 'api-version is missing or not of the form YYYY-MM-DD[-preview]')
      },
      run: ({ route, request, parameters, caller }) => {
        const { device = '', module = '', lock, job } = parameters
        return route.run(caller, { deviceId: device, moduleId: module }, request, lock ?? job ?? '')
      },
      success: (response) => response,
      failure: (thrown) => refusalResponse(told(thrown), clock()),
      statusOf: (thrown) => {
        const error = asRefusal(thrown)
        return error instanceof HubRefusal ? error.status : undefined
      },
      onFault,
    },
    // Nothing here is timed.
    { monotonic: clock },
  )
}

function refusalOf(why: Unrouted | BodyFault, { method, path }: HttpRequest): HubRefusal {
  if (why === 'undecodable') return new HubRefusal('ArgumentInvalid', 'the path is not percent-encoded')
  if (typeof why === 'object' && 'methods' in why)
    return new HubRefusal('MethodNotAllowed', `${method} is not offered at this path`)
  if (notOffered.test(path)) return new HubRefusal('NotImplemented', `${path.split('/')[1]} is not offered`)
  if (fileUpload.test(path)) return new HubRefusal('NotImplemented', 'file upload is not offered')
  return new HubRefusal('NotFound', 'there is nothing at this path')
}

function hostOf(request: HttpRequest): string {
  return (header(request, 'host') ?? '').replace(/:\d+$/, '').toLowerCase()
}
