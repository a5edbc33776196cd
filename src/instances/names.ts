import { members } from '../model/members.ts'
import { Refusal } from '../model/refusal.ts'
import type { ProvisioningService } from '../model/service.ts'
import type { Reader } from '../store/store.ts'

/** 3 to 50 letters, digits and hyphens; not digits only, no hyphen first or last. [service-wire §8.1] */
const nameShape = /^(?!\d+$)(?=.{3,50}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])$/
const invalid = 'must be 3 to 50 letters, digits and hyphens, not digits only, without a hyphen first or last'

/** Whether an instance could be created under a name, and in words why not. */
export type NameAvailability =
  | { readonly nameAvailable: true }
  | { readonly nameAvailable: false; readonly reason: 'Invalid' | 'AlreadyExists'; readonly message: string }

/** Whether an instance could be created under this name, which no two have in any letter case. [service-wire §8.2] */
export async function nameAvailability(name: string, store: Reader): Promise<NameAvailability> {
  if (!nameShape.test(name)) return { nameAvailable: false, reason: 'Invalid', message: `The name ${invalid}.` }
  const services = await store.services.all()
  if (!services.some((service) => service.name.toLowerCase() === name.toLowerCase())) return { nameAvailable: true }
  return { nameAvailable: false, reason: 'AlreadyExists', message: 'The name is in use.' }
}

/** Refuses unless an instance could be created under this name. */
export async function demandFreeName(name: string, store: Reader): Promise<void> {
  const found = await nameAvailability(name, store)
  if (found.nameAvailable) return
  if (found.reason === 'Invalid') throw members({}).refusal('name', invalid)
  throw new Refusal('InstanceExists', `${name} is in use`)
}

/** Refuses if another instance answers under one of this one's host names. */
export async function demandFreeHostNames({ hostNames, idScope }: ProvisioningService, store: Reader): Promise<void> {
  for (const hostName of hostNames) {
    const holder = await store.services.byHostName(hostName)
    if (holder && holder.idScope !== idScope) throw new Refusal('InstanceExists', `the host name ${hostName} is in use`)
  }
}
