import { firstEtag } from '../model/identifiers.ts'
import type { JsonObject } from '../base/json.ts'
import { shown } from '../base/printable.ts'
import { Refusal } from '../model/refusal.ts'
import type { LinkedHub, ProvisioningService, ServiceResource, SharedAccessPolicy } from '../model/service.ts'
import type { Reader } from '../store/store.ts'

const type = 'Microsoft.Devices/ProvisioningServices'

/** Where an instance stands that was made before anybody said where: the deployment's first one. */
export const defaultResource: ServiceResource = {
  subscriptionId: '00000000-0000-0000-0000-000000000000',
  resourceGroup: 'hubward',
  location: 'local',
  tags: {},
  capacity: 1,
  etag: firstEtag,
}

/** What the resource manager's clients are shown of an instance beside the service's own facts. */
export function resourceOf({ resource }: ProvisioningService): ServiceResource {
  return resource ?? defaultResource
}

/** The path that names the instance. */
export function resourceId(service: ProvisioningService): string {
  const { subscriptionId, resourceGroup } = resourceOf(service)
  return `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/${type}/${service.name}`
}

/** Where the resource manager's clients look for an instance. */
export interface InstancePath {
  readonly subscription: string
  readonly group: string
  readonly instance: string
}

/** The instance at this place, in any letter case; undefined if it is not there. */
export async function findInstance(
  store: Reader,
  { subscription, group, instance }: InstancePath,
): Promise<ProvisioningService | undefined> {
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()
  return (await store.services.all()).find((service) => {
    const { subscriptionId, resourceGroup } = resourceOf(service)
    return same(service.name, instance) && same(subscriptionId, subscription) && same(resourceGroup, group)
  })
}

/** The instance at this place; refuses if it is not there. */
export async function demandInstance(store: Reader, place: InstancePath): Promise<ProvisioningService> {
  const service = await findInstance(store, place)
  if (service) return service
  throw new Refusal(
    'InstanceAbsent',
    `there is no provisioning service ${shown(place.instance)} in that resource group`,
  )
}

/** The instance as the resource manager shows it: without policy keys, hub keys masked. [service-wire §8.1] */
export function instanceJson(service: ProvisioningService, hubs: readonly LinkedHub[], deviceHost: string): JsonObject {
  const { subscriptionId, resourceGroup, location, tags, capacity, etag } = resourceOf(service)
  const [serviceOperationsHostName = ''] = service.hostNames
  return {
    id: resourceId(service),
    name: service.name,
    type,
    location,
    resourcegroup: resourceGroup,
    subscriptionid: subscriptionId,
    tags,
    etag,
    sku: { name: 'S1', tier: 'Standard', capacity },
    properties: {
      state: 'Active',
      provisioningState: 'Succeeded',
      idScope: service.idScope,
      serviceOperationsHostName,
      deviceProvisioningHostName: deviceHost,
      portalOperationsHostName: serviceOperationsHostName,
      allocationPolicy: allocationPolicyNames[service.allocationPolicy],
      publicNetworkAccess: service.publicNetworkAccess ?? 'Enabled',
      disableLocalAuth: service.disableLocalAuth ?? false,
      ipFilterRules: (service.ipFilterRules ?? []).map((rule) => ({ ...rule })),
      privateEndpointConnections: [],
      iotHubs: hubs.map(hubJson),
      authorizationPolicies: [],
      enableDataResidency: false,
      hostNames: service.hostNames,
    },
  }
}

const allocationPolicyNames = { hashed: 'Hashed', geoLatency: 'GeoLatency', static: 'Static' } as const

/** What stands for a key that is not shown; written back, it keeps the key. [service-wire §8.1] */
export const maskedKey = '****'

function hubJson({ hostName, keyName, location, allocationWeight, applyAllocationPolicy }: LinkedHub): JsonObject {
  return {
    name: hostName,
    location,
    allocationWeight,
    applyAllocationPolicy,
    connectionString: `HostName=${hostName};SharedAccessKeyName=${keyName};SharedAccessKey=${maskedKey}`,
  }
}

/** A policy with its keys. The rights are separated as the CLI splits them. [service-wire §1.4] */
export function policyJson({ keyName, primaryKey, secondaryKey, rights }: SharedAccessPolicy): JsonObject {
  return {
    keyName,
    primaryKey: primaryKey.revealBase64(),
    secondaryKey: secondaryKey.revealBase64(),
    rights: rights.join(', '),
  }
}
