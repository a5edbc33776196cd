import { isIP } from 'node:net'
import { members, type Members } from '../model/members.ts'
import { newEtag } from '../model/identifiers.ts'
import { isIpMask, type IpFilterRule } from '../model/ip-filter.ts'
import { isJsonObject, type Json } from '../base/json.ts'
import type { ProvisioningService, ServiceResource } from '../model/service.ts'

/** What a body asks for, laid over what is stored: what it does not mention stays as it is. */
export type InstanceSettings = Pick<
  ProvisioningService,
  'allocationPolicy' | 'ipFilterRules' | 'publicNetworkAccess' | 'disableLocalAuth' | 'hostNames'
> & { readonly resource: ServiceResource }

const allocationPolicies = { Hashed: 'hashed', GeoLatency: 'geoLatency', Static: 'static' } as const
const policyNames = Object.keys(allocationPolicies) as (keyof typeof allocationPolicies)[]
const mostRules = 100
const mostTags = 50
const hostNameShape = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/i

/** The settings in the body of a PUT. Refuses members that cannot be, by their path. [service-wire §8.1] */
export function readInstance(
  body: Json | undefined,
  stored: Pick<ProvisioningService, keyof InstanceSettings> & { resource: ServiceResource },
): { settings: InstanceSettings; properties: Members } {
  const object = isJsonObject(body) ? body : {}
  const top = members(object)
  if (!isJsonObject(body)) throw top.refusal('', 'must be a JSON object')
  const properties = top.object('properties') ?? members({}, 'properties')
  const sku = top.object('sku')
  sku?.oneOf('name', ['S1'])
  const policy = properties.oneOf('allocationPolicy', policyNames)
  const settings: InstanceSettings = {
    hostNames: readHostNames(properties) ?? stored.hostNames,
    allocationPolicy: policy ? allocationPolicies[policy] : stored.allocationPolicy,
    ipFilterRules: readIpFilterRules(properties) ?? stored.ipFilterRules ?? [],
    publicNetworkAccess:
      properties.oneOf('publicNetworkAccess', ['Enabled', 'Disabled']) ?? stored.publicNetworkAccess ?? 'Enabled',
    disableLocalAuth: properties.flag('disableLocalAuth') ?? stored.disableLocalAuth ?? false,
    resource: {
      ...stored.resource,
      location: top.text('location') ?? stored.resource.location,
      tags: readTags(top) ?? stored.resource.tags,
      capacity: readCapacity(sku, object['sku']) ?? stored.resource.capacity,
      etag: newEtag(),
    },
  }
  return { settings, properties }
}

/** The tags in a body, undefined if it has none. */
export function readTags(body: Members): Readonly<Record<string, string>> | undefined {
  const tags = body.json('tags')
  if (!tags) return undefined
  const entries = Object.entries(tags).map(([name, value]): [string, string] => {
    if (typeof value !== 'string') throw body.refusal(`tags.${name}`, 'must be text')
    return [name, value]
  })
  if (entries.length > mostTags) throw body.refusal('tags', `has more than ${mostTags} members`)
  return Object.fromEntries(entries)
}

/** Beyond Azure's members: the names under which the instance's service operations endpoint answers. */
function readHostNames(properties: Members): readonly string[] | undefined {
  const given = properties.list('hostNames')
  if (!given) return undefined
  const names = given.map((name) => {
    if (typeof name === 'string' && (hostNameShape.test(name) || isIP(name) > 0)) return name.toLowerCase()
    throw properties.refusal('hostNames', 'holds what is no host name')
  })
  if (names.length === 0 || names.length > 10) throw properties.refusal('hostNames', 'must hold 1 to 10 names')
  return [...new Set(names)]
}

function readIpFilterRules(properties: Members): readonly IpFilterRule[] | undefined {
  const given = properties.list('ipFilterRules')
  if (!given) return undefined
  if (given.length > mostRules) throw properties.refusal('ipFilterRules', `has more than ${mostRules} rules`)
  return given.map((rule, index) => {
    const path = `ipFilterRules.${index}`
    if (!isJsonObject(rule)) throw properties.refusal(path, 'must be an object')
    const read = members(rule, `properties.${path}`)
    const filterName = read.text('filterName')
    const ipMask = read.text('ipMask')
    const action = read.oneOf('action', ['Accept', 'Reject'])
    if (!filterName) throw read.refusal('filterName', 'is required')
    if (!ipMask || !isIpMask(ipMask)) throw read.refusal('ipMask', 'must be an address, alone or with a prefix length')
    if (!action) throw read.refusal('action', 'is required')
    return { filterName, ipMask, action, target: read.oneOf('target', ['all', 'serviceApi', 'deviceApi']) ?? 'all' }
  })
}

function readCapacity(sku: Members | undefined, json: Json | undefined): number | undefined {
  const capacity = isJsonObject(json) ? json['capacity'] : undefined
  if (!sku || capacity === undefined || capacity === null) return undefined
  if (typeof capacity !== 'number' || !Number.isInteger(capacity) || capacity < 1 || capacity > 10_000) {
    throw sku.refusal('capacity', 'must be a whole number from 1')
  }
  return capacity
}
