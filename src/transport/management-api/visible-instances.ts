import { may, type Principal } from '../../access/principal.ts'
import { resourceOf } from '../../instances/instance-resource.ts'
import type { ProvisioningService } from '../../model/service.ts'
import type { Reader } from '../../store/store.ts'

/** The instances that a caller may read, in this subscription and resource group where they are named, in any letter case. */
export async function visibleInstances(
  store: Reader,
  principal: Principal | undefined,
  within: { readonly subscription?: string | undefined; readonly group?: string | undefined } = {},
): Promise<readonly ProvisioningService[]> {
  const fits = (wanted: string | undefined, found: string) =>
    wanted === undefined || wanted.toLowerCase() === found.toLowerCase()
  return (await store.services.all()).filter((service) => {
    const { subscriptionId, resourceGroup } = resourceOf(service)
    const here = fits(within.subscription, subscriptionId) && fits(within.group, resourceGroup)
    return here && principal !== undefined && may(principal, 'read', service.name)
  })
}
