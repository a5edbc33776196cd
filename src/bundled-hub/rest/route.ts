import type { HttpRequest, HttpResponse } from '../../wire/http.ts'
import type { Hub } from '../hub.ts'
import type { Right } from '../policy.ts'
import type { Address } from '../registry.ts'
import { bulk } from './bulk.ts'
import { deleteOne, getOne, listAll, listModules, putOne } from './identities.ts'
import { invokeMethod } from './methods.ts'
import { purge, readTelemetry, sendDeviceBound, sendTelemetry } from './messages.ts'
import { query } from './query.ts'
import { deviceStatistics, serviceStatistics } from './statistics.ts'
import { getTwin, patch, replace } from './twins.ts'

/** What one method of one resource does, and who may ask for it. */
export interface Operation {
  readonly right: Right
  /** This device may ask too, with its own credential. */
  readonly device?: Address | undefined
  readonly run: (hub: Hub, request: HttpRequest) => HttpResponse | Promise<HttpResponse>
}

/** What a path offers, by HTTP method. */
export type Resource = Readonly<Record<string, Operation>>

const families = new Set(['devices', 'twins', 'statistics', 'jobs', 'configurations', 'digitaltwins'])

/** True if the path is the hub's to answer, found or not. */
export function isHubPath(path: string): boolean {
  const end = path.indexOf('/', 1)
  return families.has((end < 0 ? path.slice(1) : path.slice(1, end)).toLowerCase())
}

/** The resource at a decoded path, or undefined. [service-wire §12.2, §13.4] */
export function resourceAt(path: readonly string[]): Resource | undefined {
  const [family = '', ...rest] = path
  switch (family.toLowerCase()) {
    case 'devices':
      return devices(rest)
    case 'twins':
      return twins(rest)
    case 'statistics':
      return statistics(rest)
    default:
      return undefined
  }
}

function devices([deviceId, ...rest]: readonly string[]): Resource | undefined {
  if (deviceId === undefined) {
    return { GET: { right: 'RegistryRead', run: listAll }, POST: { right: 'RegistryWrite', run: bulk } }
  }
  const device = { deviceId, moduleId: '' }
  const [collection, name] = rest.map((segment) => segment.toLowerCase())
  const deeper = rest.length
  if (deeper === 0) return { ...identity(device), ...(deviceId === 'query' ? queries : {}) }
  if (collection === 'modules' && deeper === 1) {
    return { GET: { right: 'RegistryRead', device, run: (hub) => listModules(hub, deviceId) } }
  }
  if (collection === 'modules' && deeper === 2) return identity({ deviceId, moduleId: rest[1] ?? '' }, device)
  if (collection === 'commands' && deeper === 1) {
    return { DELETE: { right: 'ServiceConnect', run: (hub) => purge(hub, deviceId) } }
  }
  if (collection === 'messages' && deeper === 2) return messages(deviceId, name)
  return undefined
}

const queries: Resource = { POST: { right: 'ServiceConnect', run: query } }

function identity(address: Address, device?: Address): Resource {
  return {
    GET: { right: 'RegistryRead', device, run: (hub) => getOne(hub, address) },
    PUT: { right: 'RegistryWrite', device, run: (hub, request) => putOne(hub, address, request) },
    DELETE: { right: 'RegistryWrite', device, run: (hub, request) => deleteOne(hub, address, request) },
  }
}

function messages(deviceId: string, kind: string | undefined): Resource | undefined {
  const device = { deviceId, moduleId: '' }
  if (kind === 'devicebound') {
    return { POST: { right: 'ServiceConnect', run: (hub, request) => sendDeviceBound(hub, deviceId, request) } }
  }
  if (kind !== 'events') return undefined
  return {
    GET: { right: 'ServiceConnect', run: (hub, request) => readTelemetry(hub, deviceId, request) },
    POST: { right: 'DeviceConnect', device, run: (hub, request) => sendTelemetry(hub, deviceId, request) },
  }
}

function twins([deviceId, ...rest]: readonly string[]): Resource | undefined {
  if (deviceId === undefined) return undefined
  const [first, moduleId, third] = rest
  if (rest.length === 0) return twin({ deviceId, moduleId: '' })
  if (first === 'methods' && rest.length === 1) return methods({ deviceId, moduleId: '' })
  if (first !== 'modules' || !moduleId) return undefined
  if (rest.length === 2) return twin({ deviceId, moduleId })
  return third === 'methods' && rest.length === 3 ? methods({ deviceId, moduleId }) : undefined
}

function twin(address: Address): Resource {
  return {
    GET: { right: 'ServiceConnect', run: (hub) => getTwin(hub, address) },
    PATCH: { right: 'ServiceConnect', run: (hub, request) => patch(hub, address, request) },
    PUT: { right: 'ServiceConnect', run: (hub, request) => replace(hub, address, request) },
  }
}

function methods(address: Address): Resource {
  return { POST: { right: 'ServiceConnect', run: (hub, request) => invokeMethod(hub, address, request) } }
}

function statistics([kind, ...rest]: readonly string[]): Resource | undefined {
  if (rest.length > 0) return undefined
  if (kind === 'devices') return { GET: { right: 'RegistryRead', run: deviceStatistics } }
  return kind === 'service' ? { GET: { right: 'ServiceConnect', run: serviceStatistics } } : undefined
}
