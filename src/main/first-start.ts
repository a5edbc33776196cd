import { randomBytes } from 'node:crypto'
import type { BundledHub } from '../bundled-hub/bundled-hub.ts'
import { newIdScope } from '../model/identifiers.ts'
import { Secret } from '../base/secret.ts'
import type { LinkedHub, ProvisioningService, SharedAccessPolicy } from '../model/service.ts'
import { timestamp, type Clock } from '../base/time.ts'
import type { Store } from '../store/store.ts'

/** The policy that every new instance has. [service-wire §1.4] */
const ownerPolicy = 'provisioningserviceowner'

/** By this it is known again when the service is started under another host name. */
const firstName = 'hubward'

/** The deployment's first instance, and the policy that its operator is told of; undefined once that was deleted. */
export interface FirstInstance {
  readonly service: ProvisioningService
  readonly policy: SharedAccessPolicy | undefined
  /** True if this start made it. */
  readonly isNew: boolean
}

/**
 * The first instance: made at the first start, with an ID scope and keys of its own; later starts find it, under the host name
 * they are started with. A bundled hub is linked to it when either of them is new: what an operator unlinks stays unlinked.
 */
export async function firstInstance(
  store: Store,
  hostName: string,
  bundled: Pick<BundledHub, 'hostNames' | 'newHostNames' | 'connectionString'>,
  clock: Clock,
): Promise<FirstInstance> {
  const known = await store.services.all()
  const found =
    known.find(({ hostNames }) => hostNames.includes(hostName.toLowerCase())) ??
    known.find(({ name }) => name === firstName)
  const service = found ?? newService(hostName, clock)
  const made = found ? undefined : newPolicy()
  const hubs = (found ? bundled.newHostNames : bundled.hostNames).map((name) =>
    linkedHub(bundled.connectionString(name)),
  )
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
    policy: made ?? (await store.policies.get(service.idScope, ownerPolicy)),
  }
}

/** The parts of an IoT hub's service connection string. Throws if it is none. */
export function linkedHub(connectionString: string): LinkedHub {
  const members = new Map(
    connectionString.split(';').map((member): [string, string] => {
      const at = member.indexOf('=') // only the first: keys end in one
      return [member.slice(0, at), member.slice(at + 1)]
    }),
  )
  const hostName = members.get('HostName')
  const keyName = members.get('SharedAccessKeyName')
  const key = Secret.fromBase64(members.get('SharedAccessKey') ?? '')
  if (!hostName || !keyName || !key)
    throw new Error('a connection string needs HostName, SharedAccessKeyName and SharedAccessKey')
  return { hostName, keyName, key, location: 'local', allocationWeight: 1, applyAllocationPolicy: true }
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

/** Keys as Azure makes them: 32 random bytes. [service-wire §1.2] */
function newPolicy(): SharedAccessPolicy {
  const key = () => new Secret(randomBytes(32))
  const rights = ['ServiceConfig', 'DeviceConnect', 'EnrollmentWrite'] as const
  return { keyName: ownerPolicy, primaryKey: key(), secondaryKey: key(), rights }
}
