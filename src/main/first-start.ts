import { randomBytes } from 'node:crypto'
import { newIdScope } from '../model/identifiers.ts'
import { Secret } from '../model/secret.ts'
import type { LinkedHub, ProvisioningService, SharedAccessPolicy } from '../model/service.ts'
import { timestamp, type Clock } from '../model/timestamp.ts'
import type { Store } from '../store/store.ts'

/** The policy that every new instance has. [service-wire §1.4] */
const ownerPolicy = 'provisioningserviceowner'

/** By this it is known again when the service is started under another host name. */
const firstName = 'hubward'

/** The deployment's first instance, its owner policy, and what it is reached by. */
export interface FirstInstance {
  readonly service: ProvisioningService
  readonly policy: SharedAccessPolicy
}

/**
 * The first instance: made at the first start, with an ID scope and keys of its own; later starts find it, under the host name
 * they are started with. Every bundled hub is linked to it.
 */
export async function firstInstance(
  store: Store,
  hostName: string,
  hubConnectionStrings: readonly string[],
  clock: Clock,
): Promise<FirstInstance> {
  const known = await store.services.all()
  const found =
    known.find(({ hostNames }) => hostNames.includes(hostName.toLowerCase())) ??
    known.find(({ name }) => name === firstName)
  const service = found ?? newService(hostName, clock)
  const policy = (found && (await store.policies.get(found.idScope, ownerPolicy))) ?? newPolicy()
  const linked = new Set((await store.linkedHubs.all(service.idScope)).map((hub) => hub.hostName.toLowerCase()))
  const hubs = hubConnectionStrings.map(linkedHub).filter((hub) => !linked.has(hub.hostName.toLowerCase()))
  const hostNames = [...new Set([...service.hostNames, hostName.toLowerCase()])]

  await store.transact((write) => {
    if (!found) write.services.create({ ...service, hostNames })
    else if (hostNames.length > service.hostNames.length) write.services.replace({ ...service, hostNames })
    write.policies.put(service.idScope, policy)
    for (const hub of hubs) write.linkedHubs.put(service.idScope, hub)
  })
  return { service: { ...service, hostNames }, policy }
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
