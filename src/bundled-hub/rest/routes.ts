import type { HttpRequest, HttpResponse } from '../../wire/http.ts'
import { routerOf, type HttpRoute } from '../../wire/http/router.ts'
import type { Hub } from '../hub.ts'
import type { Right } from '../policy.ts'
import type { Address } from '../registry.ts'
import { bulk } from './bulk.ts'
import { deleteOne, getOne, listAll, listModules, putOne } from './identities.ts'
import { cancel, list, read as readJob, schedule } from './jobs.ts'
import { purge, readTelemetry, sendCloudToDevice, sendTelemetry } from './messages.ts'
import { invokeMethod } from './methods.ts'
import { query } from './query.ts'
import { abandon, complete, receive } from './receive.ts'
import { deviceStatistics, serviceStatistics } from './statistics.ts'
import { getTwin, patch, replace } from './twins.ts'

/** What one method of one resource does, and who may ask for it. */
export interface HubRoute extends HttpRoute {
  readonly right: Right
  /** The device that the path names may ask too, with its own credential. */
  readonly own?: boolean
  /** `at` is the identity that the path names, with empty names where it names none; `name` of a lock or job. */
  readonly run: (hub: Hub, at: Address, request: HttpRequest, name: string) => HttpResponse | Promise<HttpResponse>
}

const [read, write, service] = ['RegistryRead', 'RegistryWrite', 'ServiceConnect'] as const
const device = '/devices/:device'
const module = `${device}/modules/:module`

/** What the hub offers. [service-wire §12.2, §13.4] */
const routes: readonly HubRoute[] = [
  { method: 'GET', path: '/devices', right: read, run: (hub, _, request) => listAll(hub, request) },
  { method: 'POST', path: '/devices', right: write, run: (hub, _, request) => bulk(hub, request) },
  { method: 'POST', path: '/devices/query', right: service, run: (hub, _, request) => query(hub, request) },
  ...identity(device, false),
  { method: 'GET', path: `${device}/modules`, right: read, own: true, run: (hub, at) => listModules(hub, at.deviceId) },
  ...identity(module, true),
  { method: 'DELETE', path: `${device}/commands`, right: service, run: (hub, at) => purge(hub, at.deviceId) },
  {
    method: 'POST',
    path: `${device}/messages/devicebound`,
    right: service,
    run: (hub, at, request) => sendCloudToDevice(hub, at.deviceId, request),
  },
  {
    method: 'GET',
    path: `${device}/messages/devicebound`,
    right: 'DeviceConnect',
    own: true,
    run: (hub, at) => receive(hub, at.deviceId),
  },
  {
    method: 'DELETE',
    path: `${device}/messages/devicebound/:lock`,
    right: 'DeviceConnect',
    own: true,
    run: (hub, at, request, lock) => complete(hub, at.deviceId, request, lock),
  },
  {
    method: 'POST',
    path: `${device}/messages/devicebound/:lock/abandon`,
    right: 'DeviceConnect',
    own: true,
    run: (hub, at, _, lock) => abandon(hub, at.deviceId, lock),
  },
  {
    method: 'GET',
    path: `${device}/messages/events`,
    right: service,
    run: (hub, at, request) => readTelemetry(hub, at.deviceId, request),
  },
  {
    method: 'POST',
    path: `${device}/messages/events`,
    right: 'DeviceConnect',
    own: true,
    run: (hub, at, request) => sendTelemetry(hub, at.deviceId, request),
  },
  ...['/twins/:device', '/twins/:device/modules/:module'].flatMap((path): HubRoute[] => [
    { method: 'GET', path, right: service, run: getTwin },
    { method: 'PATCH', path, right: service, run: patch },
    { method: 'PUT', path, right: service, run: replace },
    { method: 'POST', path: `${path}/methods`, right: service, run: invokeMethod },
  ]),
  { method: 'GET', path: '/jobs/v2/query', right: read, run: (hub, _, request) => list(hub, request) },
  { method: 'PUT', path: '/jobs/v2/:job', right: write, run: (hub, _, request, job) => schedule(hub, job, request) },
  { method: 'GET', path: '/jobs/v2/:job', right: read, run: (hub, _at, _request, job) => readJob(hub, job) },
  { method: 'POST', path: '/jobs/v2/:job/cancel', right: write, run: (hub, _at, _request, job) => cancel(hub, job) },
  { method: 'GET', path: '/statistics/devices', right: read, run: deviceStatistics },
  { method: 'GET', path: '/statistics/service', right: service, run: serviceStatistics },
]

/** Finds them. */
export const router = routerOf(routes, { idleSlashes: 'all' })

function identity(path: string, own: boolean): HubRoute[] {
  return [
    { method: 'GET', path, right: read, own, run: getOne },
    { method: 'PUT', path, right: write, own, run: putOne },
    { method: 'DELETE', path, right: write, own, run: deleteOne },
  ]
}
