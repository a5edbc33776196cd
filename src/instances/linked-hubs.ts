import { members, type Members } from '../model/members.ts'
import { isJsonObject } from '../base/json.ts'
import { Secret } from '../base/secret.ts'
import type { IdScope } from '../model/identifiers.ts'
import type { LinkedHub } from '../model/service.ts'
import type { Writer } from '../store/store.ts'
import { maskedKey } from './instance-resource.ts'

const hostNameShape = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/

/** Make the hubs that are linked to the instance these. */
export function replaceHubs(
  write: Writer,
  idScope: IdScope,
  before: readonly LinkedHub[],
  hubs: readonly LinkedHub[],
): void {
  const kept = new Set(hubs.map(({ hostName }) => hostName.toLowerCase()))
  for (const hub of before) if (!kept.has(hub.hostName.toLowerCase())) write.linkedHubs.delete(idScope, hub.hostName)
  for (const hub of hubs) write.linkedHubs.put(idScope, hub)
}

/**
 * The hubs that a body wants linked, or undefined if it does not mention them. A masked key means the key that is stored for
 * that very hub, so that what was read can be written back. [service-wire §8.1]
 */
export function readLinkedHubs(
  properties: Members,
  stored: readonly LinkedHub[],
  location: string,
  mostHubs: number,
): readonly LinkedHub[] | undefined {
  const given = properties.list('iotHubs')
  if (!given) return undefined
  if (given.length > Math.max(mostHubs, stored.length))
    throw properties.refusal('iotHubs', `has more than ${mostHubs} hubs`)
  const hubs = given.map((hub, index) => {
    if (!isJsonObject(hub)) throw properties.refusal(`iotHubs.${index}`, 'must be an object')
    const read = members(hub, `properties.iotHubs.${index}`)
    const weight = hub['allocationWeight'] ?? 1
    if (typeof weight !== 'number' || !Number.isInteger(weight) || weight < 0 || weight > 1000) {
      throw read.refusal('allocationWeight', 'must be a whole number from 0 to 1000')
    }
    const authentication = read.oneOf('authenticationType', ['KeyBased', 'UserAssigned', 'SystemAssigned'])
    if (authentication !== undefined && authentication !== 'KeyBased') {
      throw read.refusal('authenticationType', 'must be KeyBased: there are no managed identities here')
    }
    return {
      ...readConnectionString(read, stored),
      location: read.text('location') ?? location,
      allocationWeight: weight,
      applyAllocationPolicy: read.flag('applyAllocationPolicy') ?? true,
    }
  })
  if (new Set(hubs.map(({ hostName }) => hostName.toLowerCase())).size < hubs.length) {
    throw properties.refusal('iotHubs', 'names a hub twice')
  }
  return hubs
}

/**
 * Whom an IoT hub's service connection string speaks for. `masked`: its key is not shown; `key` is undefined where it is masked or
 * no base64. Undefined if a part is missing.
 */
export function hubOfConnectionString(
  text: string,
):
  | { readonly hostName: string; readonly keyName: string; readonly key: Secret | undefined; masked: boolean }
  | undefined {
  const parts = new Map(
    text.split(';').map((part): [string, string] => {
      const at = part.indexOf('=') // only the first: keys end in one
      return [part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim()]
    }),
  )
  const hostName = parts.get('hostname') ?? ''
  const keyName = parts.get('sharedaccesskeyname') ?? ''
  const written = parts.get('sharedaccesskey') ?? ''
  if (!hostNameShape.test(hostName) || keyName === '' || written === '') return undefined
  const masked = written === maskedKey
  return { hostName, keyName, masked, key: masked ? undefined : Secret.fromBase64(written) }
}

function readConnectionString(
  read: Members,
  stored: readonly LinkedHub[],
): Pick<LinkedHub, 'hostName' | 'keyName' | 'key' | 'previousKey'> {
  const text = read.text('connectionString')
  if (text === undefined) throw read.refusal('connectionString', 'is required')
  const wanted = hubOfConnectionString(text)
  if (!wanted) {
    throw read.refusal('connectionString', 'must say HostName, SharedAccessKeyName and SharedAccessKey')
  }
  const { hostName, keyName, key, masked } = wanted
  const before = storedHub(hostName, keyName, stored)
  if (masked) {
    if (before) return { hostName: before.hostName, keyName, key: before.key, previousKey: before.previousKey }
    throw read.refusal('connectionString', 'has a masked key, and no key is stored for this hub and policy')
  }
  if (!key) throw read.refusal('connectionString', 'has a SharedAccessKey that is not base64')
  const rotated = before && !before.key.equals(key)
  return { hostName, keyName, key, previousKey: rotated ? before.key : before?.previousKey }
}

function storedHub(hostName: string, keyName: string, stored: readonly LinkedHub[]): LinkedHub | undefined {
  return stored.find((hub) => hub.hostName.toLowerCase() === hostName.toLowerCase() && hub.keyName === keyName)
}
