import type { Enrollment } from '../model/enrollment.ts'
import { Refusal } from '../model/refusal.ts'
import { isHub, type LinkedHub } from '../model/service.ts'
import type { AllocationPolicy, Choice, ToAllocate } from './allocation.ts'

/** The allocation policies that are offered, by their names. */
export type AllocationPolicies = Readonly<Record<string, AllocationPolicy>>

/** What allocating works with. */
export interface Allocation {
  readonly policies: AllocationPolicies
  /** Why the link to a hub is broken; undefined if it is not, or if nobody is to be kept away from it. */
  readonly broken: (hub: LinkedHub) => string | undefined
}

/**
 * Choose the hub a device belongs to: the enrollment's policy over the service's, among the linked hubs that the enrollment
 * permits. Refuses if there is none. [service-wire §9.1]
 */
export async function allocate(
  device: ToAllocate,
  linkedHubs: readonly LinkedHub[],
  { policies, broken }: Allocation,
): Promise<Choice> {
  const policy = policyFor(device, policies)
  const candidates = candidatesFor(device, linkedHubs, policy)
  const choice = policy.automatic
    ? await aroundBroken(policy, device, candidates, broken)
    : await policy.choose(device, candidates)
  note(device, policy, candidates, choice)
  return choice
}

/**
 * Ask an external policy about a device that stays where it is: it is told of this hub alone, and its payload is the device's.
 * Other policies are not asked. [service-wire §9.3]
 */
export async function consult(device: ToAllocate, hub: LinkedHub, { policies }: Allocation): Promise<Choice> {
  const policy = policyFor(device, policies)
  if (!policy.external) return { hub, repeatable: true }
  const choice = await policy.choose(device, [hub])
  note(device, policy, [hub], choice)
  return choice
}

/** What `allocate` would choose; undefined if only asking an external policy would tell. */
export async function foresee(
  device: ToAllocate,
  linkedHubs: readonly LinkedHub[],
  allocation: Allocation,
): Promise<Choice | undefined> {
  const policy = policyFor(device, allocation.policies)
  if (!policy.external) return allocate(device, linkedHubs, allocation)
  candidatesFor(device, linkedHubs, policy)
  return undefined
}

/** New devices are kept from a broken hub while another is whole; a device that has a hub is not moved for its sake. */
async function aroundBroken(
  policy: AllocationPolicy,
  device: ToAllocate,
  candidates: readonly LinkedHub[],
  broken: Allocation['broken'],
): Promise<Choice> {
  const whole = candidates.filter((hub) => broken(hub) === undefined)
  if (whole.length === candidates.length || whole.length === 0) return policy.choose(device, candidates)
  const avoided = candidates.filter((hub) => !whole.includes(hub))
  const because = avoided.map((hub) => `${hub.hostName} is avoided: ${broken(hub)}`).join('; ')
  const own = candidates.find((link) => isHub(link, device.registration?.assignment?.assignedHub))
  if (own) {
    const choice = await policy.choose(device, candidates)
    return whole.includes(choice.hub) ? choice : { ...choice, hub: own, because, repeatable: false }
  }
  const choice = await policy.choose(device, whole)
  return { ...choice, because: choice.because ? `${choice.because}; ${because}` : because, repeatable: false }
}

function note(
  { trail }: ToAllocate,
  { name: policy }: AllocationPolicy,
  candidates: readonly LinkedHub[],
  { hub, because }: Choice,
): void {
  const names = candidates.map(({ hostName }) => hostName)
  trail.note({ step: 'allocation', policy, candidates: names, chosen: hub.hostName, ...(because && { because }) })
}

function policyFor(
  { enrollment, service }: Pick<ToAllocate, 'enrollment' | 'service'>,
  policies: AllocationPolicies,
): AllocationPolicy {
  const name = enrollment.allocationPolicy ?? (legacyHub(enrollment) ? 'static' : service.allocationPolicy)
  const policy = policies[name]
  if (!policy) throw new Refusal('AllocationPolicyUnavailable', `the allocation policy ${name} is not offered here`)
  return policy
}

function candidatesFor(
  { enrollment }: Pick<ToAllocate, 'enrollment'>,
  linkedHubs: readonly LinkedHub[],
  policy: AllocationPolicy,
) {
  if (linkedHubs.length === 0) throw new Refusal('NoHubLinked', 'no IoT hub is linked to this provisioning service')
  const named = enrollment.iotHubs?.length ? enrollment.iotHubs : legacyHub(enrollment)
  const permitted = named ? named.flatMap((name) => linkedHubs.filter((link) => isHub(link, name))) : linkedHubs
  if (permitted.length === 0) {
    throw new Refusal('NoHubLinked', `none of the enrollment's hubs is linked: ${named?.join(', ')}`)
  }
  const candidates = policy.automatic ? permitted.filter((hub) => hub.applyAllocationPolicy) : permitted
  if (candidates.length === 0) {
    const names = permitted.map(({ hostName }) => hostName).join(', ')
    throw new Refusal('NoHubAvailable', `every permitted hub is taken out of automatic allocation: ${names}`)
  }
  return candidates
}

/** `iotHubHostName` alone says static with that one hub. [service-wire §9.2] */
function legacyHub({ iotHubHostName, iotHubs }: Enrollment): readonly string[] | undefined {
  return iotHubHostName && !iotHubs?.length ? [iotHubHostName] : undefined
}
