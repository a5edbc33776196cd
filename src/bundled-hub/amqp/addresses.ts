import type { Address } from '../registry.ts'

/** What a link is for, as its address says. [service-wire §13.5] */
export type LinkAddress =
  | { readonly kind: 'claims' }
  | { readonly kind: 'device'; readonly device: Address; readonly channel: DeviceChannel }
  | { readonly kind: 'deviceBound' }
  | { readonly kind: 'feedback' }
  | { readonly kind: 'fileNotifications' }
  /** The events of all devices, under the hub's name for them, its Event Hub's, or none. */
  | { readonly kind: 'events'; readonly entity: string; readonly path: readonly string[] }

export type DeviceChannel = 'events' | 'deviceBound' | 'twin' | 'methods' | 'inputs'

/** The entity that SDKs of IoT Hub ask for events; it is redirected to the Event Hub's. */
export const eventsEntity = 'messages/events'

/** Read an address, bare, behind a slash or behind `amqps://host/`; undefined if no link can have it. */
export function linkAddress(address: string): LinkAddress | undefined {
  const path = segments(address)
  const [first = '', second = '', third = '', ...more] = path
  switch (`${first}/${second}`.toLowerCase()) {
    case '$cbs/':
      return { kind: 'claims' }
    case '$management/':
      return { kind: 'events', entity: '', path: ['$management'] }
    case 'messages/devicebound':
      return path.length === 2 ? { kind: 'deviceBound' } : undefined
    case 'messages/servicebound':
      if (more.length > 0) return undefined
      if (third.toLowerCase() === 'feedback') return { kind: 'feedback' }
      return third.toLowerCase() === 'filenotifications' ? { kind: 'fileNotifications' } : undefined
    case eventsEntity:
      return { kind: 'events', entity: eventsEntity, path: path.slice(2) }
    default:
      return first.toLowerCase() === 'devices' ? deviceAddress(path.slice(1)) : eventsAddress(path)
  }
}

function deviceAddress([deviceId = '', ...rest]: readonly string[]): LinkAddress | undefined {
  const isModule = rest[0]?.toLowerCase() === 'modules'
  const channel = channels.get((isModule ? rest.slice(2) : rest).join('/').toLowerCase())
  const moduleId = isModule ? (rest[1] ?? '') : ''
  if (deviceId === '' || !channel || (isModule && moduleId === '')) return undefined
  return { kind: 'device', device: { deviceId, moduleId }, channel }
}

const channels = new Map<string, DeviceChannel>([
  ['messages/events', 'events'],
  ['messages/devicebound', 'deviceBound'],
  ['twin', 'twin'],
  ['methods/devicebound', 'methods'],
  ['inputs', 'inputs'],
])

function eventsAddress([entity = '', ...path]: readonly string[]): LinkAddress | undefined {
  const known = path[0]?.toLowerCase() === 'consumergroups' || path[0] === '$management'
  return entity !== '' && known ? { kind: 'events', entity, path } : undefined
}

/** Percent-encoded names are decoded, as far as they can be: SDKs do and do not encode them. */
function segments(address: string): string[] {
  return address
    .replace(/^[a-z]+:\/\/[^/]*/i, '')
    .split('/')
    .filter((segment) => segment !== '')
    .map((segment) => {
      try {
        return decodeURIComponent(segment)
      } catch {
        return segment
      }
    })
}
