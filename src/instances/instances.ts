import { isJsonObject, type Json } from '../base/json.ts'
import { quoted } from '../base/printable.ts'
import { timestamp, type Clock } from '../base/time.ts'
import { newEtag, newIdScope, noIdScope, type IdScope } from '../model/identifiers.ts'
import type { Limits } from '../model/limits.ts'
import { members } from '../model/members.ts'
import { Refusal } from '../model/refusal.ts'
import type { LinkedHub, ProvisioningService, SharedAccessPolicy } from '../model/service.ts'
import { Conflict, type Store, type Writer } from '../store/store.ts'
import { holds, type Precondition } from '../wire/precondition.ts'
import { inTurnOfInstance } from './in-turn.ts'
import { defaultResource, demandInstance, findInstance, resourceOf, type InstancePath } from './instance-resource.ts'
import { readLinkedHubs, replaceHubs } from './linked-hubs.ts'
import { demandFreeHostNames, demandFreeName } from './names.ts'
import { readInstance, readTags } from './read-instance.ts'
import { ownerPolicy, readPolicies, replacePolicies } from './shared-access-policies.ts'

/** How much of a kind an instance may have. [service-wire §14.1] */
export type InstanceLimits = (service: ProvisioningService) => Pick<Limits, 'linkedHubs' | 'caCertificates'>

/** What instances are administered with. */
export interface Administration {
  readonly store: Store
  readonly clock: Clock
  /** The name that the devices of every instance reach the service by. */
  readonly deviceHost: string
  /** The host name for the service operations endpoint of an instance that is created without one. */
  readonly hostNameFor: (instance: string) => string
  readonly limits: InstanceLimits
  /** Told when the host names that the server certificate has to be good for may have changed. */
  readonly onHostNames: () => Promise<void>
}

/** What an instance is wanted to be. */
export interface WantedInstance {
  readonly place: InstancePath
  readonly body: Json | undefined
  readonly precondition: Precondition
  /** Refuses the caller if host names are not its to choose: they stand in the certificate of all instances. */
  readonly demandHostNames: (instance: string) => void
}

/** An instance that was written, and what was there before. */
export interface WrittenInstance {
  readonly service: ProvisioningService
  readonly before: { readonly service: ProvisioningService; readonly hubs: readonly LinkedHub[] } | undefined
  /** Absent: they stay as they are. */
  readonly policies: readonly SharedAccessPolicy[] | undefined
}

/** How often a new ID scope may turn out to have been given out before. */
const attempts = 5

/**
 * Create the instance, under an ID scope that was never given out and with an owner's policy, or lay what the body says over the
 * one that is there; its linked hubs and policies become those that the body has, where it has any. [service-wire §8.2]
 */
export async function putInstance(wanted: WantedInstance, parts: Administration): Promise<WrittenInstance> {
  const { place, body, precondition, demandHostNames } = wanted
  const { store } = parts
  return inTurnOfInstance(store, place.instance, async () => {
    const stored = await findInstance(store, place)
    demandEtag(precondition, stored)
    if (!stored) await demandFreeName(place.instance, store)
    const before = stored ?? newInstance(place, parts)
    const { settings, properties } = readInstance(body, { ...before, resource: resourceOf(before) })
    if (!isSame(before.hostNames, settings.hostNames)) demandHostNames(before.name)
    const [hubsBefore, policiesBefore] = stored
      ? await Promise.all([store.linkedHubs.all(stored.idScope), store.policies.all(stored.idScope)])
      : [[], []]
    const most = parts.limits(before).linkedHubs
    const hubs = readLinkedHubs(properties, hubsBefore, settings.resource.location, most)
    const policies = readPolicies(properties, policiesBefore) ?? (stored ? undefined : [ownerPolicy()])
    const service = await written({ ...before, ...settings }, stored !== undefined, store, (write, idScope) => {
      if (hubs) replaceHubs(write, idScope, hubsBefore, hubs)
      if (policies) replacePolicies(write, idScope, policiesBefore, policies)
    })
    await parts.onHostNames()
    return { service, before: stored && { service: stored, hubs: hubsBefore }, policies }
  })
}

/** Give the instance other tags, if the body has any. */
export async function retagInstance(
  place: InstancePath,
  body: Json | undefined,
  { store }: Pick<Administration, 'store'>,
): Promise<{ readonly before: ProvisioningService; readonly after: ProvisioningService }> {
  return changeInstance(place, store, (before) => {
    const tags = readTags(members(isJsonObject(body) ? body : {})) ?? resourceOf(before).tags
    return { ...before, resource: { ...resourceOf(before), tags, etag: newEtag() } }
  })
}

/** Give the instance these limits over those of the deployment, in place of its own. */
export async function limitInstance(place: InstancePath, limits: Partial<Limits>, store: Store) {
  return changeInstance(place, store, (before) => ({ ...before, limits }))
}

/** Delete the instance with everything that belongs to it; gives it, or undefined if there is none. [service-wire §8.2] */
export async function deleteInstance(
  place: InstancePath,
  precondition: Precondition,
  { store, deviceHost }: Pick<Administration, 'store' | 'deviceHost'>,
): Promise<ProvisioningService | undefined> {
  return inTurnOfInstance(store, place.instance, async () => {
    const stored = await findInstance(store, place)
    if (!stored) return undefined
    demandEtag(precondition, stored)
    if (stored.hostNames.includes(deviceHost.toLowerCase())) {
      throw new Refusal('InstanceInUse', `${stored.name} is the deployment's own, which every start looks for`)
    }
    await store.transact((write) => write.services.delete(stored.idScope))
    return stored
  })
}

async function changeInstance(
  place: InstancePath,
  store: Store,
  change: (before: ProvisioningService) => ProvisioningService,
): Promise<{ readonly before: ProvisioningService; readonly after: ProvisioningService }> {
  return inTurnOfInstance(store, place.instance, async () => {
    const before = await demandInstance(store, place)
    const after = change(before)
    await store.transact((write) => write.services.replace(after))
    return { before, after }
  })
}

async function written(
  service: ProvisioningService,
  isStored: boolean,
  store: Store,
  more: (write: Writer, idScope: IdScope) => void,
): Promise<ProvisioningService> {
  for (let attempt = 1; ; attempt++) {
    await demandFreeHostNames(service, store)
    const wanted = isStored ? service : { ...service, idScope: newIdScope() }
    try {
      await store.transact((write) => {
        if (isStored) write.services.replace(wanted)
        else write.services.create(wanted)
        more(write, wanted.idScope)
      })
      return wanted
    } catch (error) {
      if (!(error instanceof Conflict) || isStored || attempt === attempts) throw error
    }
  }
}

function newInstance({ subscription, group, instance }: InstancePath, { clock, hostNameFor }: Administration) {
  return {
    idScope: noIdScope,
    name: instance,
    hostNames: [hostNameFor(instance).toLowerCase()],
    allocationPolicy: 'hashed',
    createdDateTimeUtc: timestamp(clock()),
    resource: { ...defaultResource, subscriptionId: subscription, resourceGroup: group },
  } satisfies ProvisioningService
}

function demandEtag(precondition: Precondition, stored: ProvisioningService | undefined): void {
  const etag = stored && resourceOf(stored).etag
  if (holds(precondition, etag)) return
  const given = typeof precondition === 'object' ? quoted(precondition.etag) : '*'
  throw new Refusal('ResourceEtagMismatch', `If-Match is ${given}; the instance has ${etag ?? 'none'}`)
}

function isSame(names: readonly string[], wanted: readonly string[]): boolean {
  return wanted.length === names.length && wanted.every((name) => names.includes(name))
}
