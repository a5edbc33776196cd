import type { JsonObject } from '../../base/json.ts'
import { defaultResource, resourceOf } from '../../instances/instance-resource.ts'
import type { ProvisioningService } from '../../model/service.ts'
import { Refusal } from '../../model/refusal.ts'
import type { Store } from '../../store/store.ts'
import type { ManagementCall, ManagementRoute } from './route.ts'
import { visibleInstances } from './visible-instances.ts'

/** The provider's versions that its clients choose from. [service-wire §8.1] */
const apiVersions = ['2022-12-12', '2022-02-05', '2021-10-15', '2020-03-01', '2020-01-01', '2018-01-22', '2017-11-15']

/**
 * What `az` and Terraform look up beside the provider's own resources: subscriptions, resource groups, the provider. Every subscription
 * and group is there for whoever asks, as an instance may be created in any; they are listed where there is an instance in
 * them that the caller may read. [service-wire §8.2]
 */
export function resourceManagerRoutes(store: Store): readonly ManagementRoute[] {
  const visible = ({ principal, parameters }: ManagementCall) => visibleInstances(store, principal, parameters)
  const answer = (
    path: string,
    operationName: string,
    json: (call: ManagementCall, parameters: Readonly<Record<string, string>>) => Promise<JsonObject>,
  ): ManagementRoute => ({
    method: 'GET',
    path,
    operationName,
    permission: 'any',
    run: async (call) => ({ json: await json(call, call.parameters) }),
  })
  return [
    answer('/subscriptions', 'ListSubscriptions', async (call) => {
      const ids = new Set((await visible(call)).map((service) => resourceOf(service).subscriptionId))
      return { value: [...ids].map(subscription) }
    }),
    answer('/subscriptions/:subscription', 'GetSubscription', async (_, { subscription: id = '' }) => subscription(id)),
    answer(
      '/subscriptions/:subscription/resourcegroups',
      'ListResourceGroups',
      async (call, { subscription: id = '' }) => {
        const services = await visible(call)
        const names = new Set(services.map((service) => resourceOf(service).resourceGroup))
        return { value: [...names].map((name) => resourceGroup(id, name, services)) }
      },
    ),
    answer(
      '/subscriptions/:subscription/resourcegroups/:group',
      'GetResourceGroup',
      async (call, { subscription: id = '', group = '' }) => resourceGroup(id, group, await visible(call)),
    ),
    answer('/subscriptions/:subscription/providers', 'ListProviders', async (_, { subscription: id = '' }) => ({
      value: [provider(id)],
    })),
    answer(
      '/subscriptions/:subscription/providers/:provider',
      'GetProvider',
      async (_, { subscription: id = '', provider: name = '' }) => {
        if (name.toLowerCase() === 'microsoft.devices') return provider(id)
        throw new Refusal('ResourceAbsent', 'there is no other provider than Microsoft.Devices')
      },
    ),
  ]
}

function subscription(subscriptionId: string): JsonObject {
  const shared = { tenantId: defaultResource.subscriptionId, state: 'Enabled', authorizationSource: 'Hubward' }
  return { id: `/subscriptions/${subscriptionId}`, subscriptionId, displayName: 'Hubward', ...shared }
}

/** Where its instances are; the CLI takes this for a new one that is not told. */
function resourceGroup(subscriptionId: string, name: string, services: readonly ProvisioningService[]): JsonObject {
  const here = services.find((service) => resourceOf(service).resourceGroup.toLowerCase() === name.toLowerCase())
  return {
    id: `/subscriptions/${subscriptionId}/resourceGroups/${name}`,
    name,
    type: 'Microsoft.Resources/resourceGroups',
    location: here ? resourceOf(here).location : defaultResource.location,
    properties: { provisioningState: 'Succeeded' },
  }
}

function provider(subscriptionId: string): JsonObject {
  const namespace = 'Microsoft.Devices'
  const types = ['provisioningServices', 'provisioningServices/certificates', 'operations']
  return {
    id: `/subscriptions/${subscriptionId}/providers/${namespace}`,
    namespace,
    registrationState: 'Registered',
    resourceTypes: types.map((resourceType) => ({ resourceType, locations: [], apiVersions })),
  }
}
