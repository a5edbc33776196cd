import { timestamp, type Clock } from '../base/time.ts'
import { newIdScope } from '../model/identifiers.ts'
import type { LinkedHub, ProvisioningService, SharedAccessPolicy } from '../model/service.ts'
import type { Store } from '../store/store.ts'
import { hubOfConnectionString } from './linked-hubs.ts'
import { ownerPolicy, ownerPolicyName } from './shared-access-policies.ts'

/** By this it is known again when the service is started under another host name. */
const firstName = 'hubward'

/** The deployment's first instance, and the policy that its operator is told of; undefined once that was deleted. */
export interface FirstInstance {
  readonly service: ProvisioningService
  readonly policy: SharedAccessPolicy | undefined
  /** True if this start made it. */
  readonly isNew: boolean
}

/** The hubs that the deployment brings itself. */
export interface OwnHubs {
  readonly hostNames: readonly string[]
  /** Those that this start made. */
  readonly newHostNames: readonly string[]
  readonly connectionString: (hostName: string) => string
}

/**
 * The first instance: made at the first start, with an ID scope and keys of its own; later starts find it, under the host name
 * they are started with. A hub of the deployment's own is linked to it when either of them is new: what an operator unlinks stays
 * unlinked.
 */
export async function firstInstance(
  store: Store,
  hostName: string,
  own: OwnHubs,
  clock: Clock,
): Promise<FirstInstance> {
  const known = await store.services.all()
  const found =
    known.find(({ hostNames }) => hostNames.includes(hostName.toLowerCase())) ??
    known.find(({ name }) => name === firstName)
  const service = found ?? newService(hostName, clock)
  const made = found ? undefined : ownerPolicy()
  const hubs = (found ? own.newHostNames : own.hostNames).map((name) => linked(own.connectionString(name)))
  const hostNames = [...new Set([...service.hostNames, hostName.toLowerCase()])]

  await store.transact((write) => {
    if (made) {
      write.services.create({ ...service, hostNames })
      write.policies.put(service.idScope, made)
    } else if (hostNames.length > service.hostNames.length) write.services.replace({ ...service, hostNames })
    for (const hub of hubs) write.linkedHubs.put(service.idScope, hub)
  })
  return {
    service: { ...service, hostNames },
    isNew: made !== undefined,
    policy: made ?? (await store.policies.get(service.idScope, ownerPolicyName)),
  }
}

function linked(connectionString: string): LinkedHub {
  const hub = hubOfConnectionString(connectionString)
  if (!hub?.key) throw new TypeError('a hub of our own has no connection string')
  return { ...hub, key: hub.key, location: 'local', allocationWeight: 1, applyAllocationPolicy: true }
}

function newService(hostName: string, clock: Clock): ProvisioningService {
  return {
    idScope: newIdScope(),
    name: firstName,
    hostNames: [hostName.toLowerCase()],
    allocationPolicy: 'hashed',
    createdDateTimeUtc: timestamp(clock()),
  }
}
