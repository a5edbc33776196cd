import type { Enrollment } from '../model/enrollment.ts'
import { Refusal } from '../model/refusal.ts'
import type { AllocationPolicyName, LinkedHub } from '../model/service.ts'
import type { AllocationPolicy, Choice, ToAllocate } from './allocation.ts'

/** The allocation policies that are offered. */
export type AllocationPolicies = { readonly [name in AllocationPolicyName]?: AllocationPolicy }

/**
 * Choose the hub a device belongs to: the enrollment's policy over the service's, among the linked hubs that the enrollment
 * permits. Refuses if there is none. [service-wire §9.1]
 */
export async function allocate(
  device: ToAllocate,
  linkedHubs: readonly LinkedHub[],
  policies: AllocationPolicies,
): Promise<Choice> {
  const policy = policyFor(device, policies)
  const candidates = candidatesFor(device, linkedHubs, policy)
  const choice = await policy.choose(device, candidates)
  device.trail.note({
    step: 'allocation',
    policy: policy.name,
    candidates: candidates.map(({ hostName }) => hostName),
    chosen: choice.hub.hostName,
  })
  return choice
}

function policyFor({ enrollment, service }: ToAllocate, policies: AllocationPolicies): AllocationPolicy {
  const name = enrollment.allocationPolicy ?? (legacyHub(enrollment) ? 'static' : service.allocationPolicy)
  const policy = policies[name]
  if (!policy) throw new Refusal('AllocationPolicyUnavailable', `the allocation policy ${name} is not offered here`)
  return policy
}

function candidatesFor({ enrollment }: ToAllocate, linkedHubs: readonly LinkedHub[], policy: AllocationPolicy) {
  if (linkedHubs.length === 0) throw new Refusal('NoHubLinked', 'no IoT hub is linked to this provisioning service')
  const named = enrollment.iotHubs?.length ? enrollment.iotHubs : legacyHub(enrollment)
  const permitted = named
    ? named.flatMap((name) => linkedHubs.filter(({ hostName }) => hostName.toLowerCase() === name.toLowerCase()))
    : linkedHubs
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
