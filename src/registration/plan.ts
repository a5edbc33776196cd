import { deviceIdOf, type DeviceId } from '../model/identifiers.ts'
import { allocate, consult, foresee, type Allocation } from '../allocation/allocate.ts'
import type { Choice } from '../allocation/allocation.ts'
import type { Attested } from '../attestation/attestation.ts'
import type { Brand } from '../base/brand.ts'
import type { Enrollment, InitialTwin, ReprovisionPolicy } from '../model/enrollment.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Assignment, Placement, Registration } from '../model/registration.ts'
import { isHub, type LinkedHub } from '../model/service.ts'

/**
 * Where a device is to go, and what that takes: from `plan`, or `foreseen`. Nothing has been done yet; `apply` does it. `hub` is
 * the link to the hub that the device will have in the end.
 */
export type Allocated = Brand<'allocated'> & Decided

type Decided =
  /** An earlier run began this and stopped somewhere: it is finished, whatever would be chosen now. */
  | { readonly is: 'finish'; readonly hub: LinkedHub; readonly placement: Placement }
  /** The device stays at a hub that is not linked any more, so there is nothing that can be done there. */
  | { readonly is: 'stay'; readonly assignment: Assignment }
  /** The device stays, and its identity gets its present credential. */
  | (Given & { readonly is: 'refresh'; readonly assignment: Assignment })
  /** The device's first hub. `repeatable`: the same hub would be chosen again, so a run that is cut off needs no record. */
  | (Given & { readonly is: 'first'; readonly to: Assignment; readonly repeatable: boolean })
  /** A factory reset where the device is. Its identity is made anew: a service cannot write reported properties. */
  | (Given & { readonly is: 'reset'; readonly to: Assignment })
  /** Another hub, which takes the identity over, with its data or without. */
  | (Given & { readonly is: 'move'; readonly to: Assignment; readonly from: string })

interface Given {
  readonly hub: LinkedHub
  /** Instead of the enrollment's, where custom allocation gave one. */
  readonly initialTwin?: InitialTwin | undefined
  /** For the device, from custom allocation. */
  readonly payload?: Json | undefined
}

/** Only an external policy would tell, and foresight does not ask it. */
export interface Undecided {
  readonly is: 'undecided'
}

/** What a plan is made from: all of it is read beforehand. */
export interface PlanInput extends Pick<
  Attested,
  'service' | 'registrationId' | 'enrollment' | 'apiVersion' | 'payload' | 'remoteAddress' | 'trail'
> {
  readonly registration: Registration | undefined
  readonly linkedHubs: readonly LinkedHub[]
  /** What an external policy is told of the proof; never a secret. [service-wire §9.3] */
  readonly proof: JsonObject
  /** The device's key at its hub comes with the answer, so an assignment to a hub that cannot be spoken to is of no use. */
  readonly needsHubKey: boolean
}

/**
 * Decide where an attested device goes. Writes nothing and asks no hub; an external policy asks its own code. Refuses if there
 * is no hub for the device. [service-wire §10.2]
 */
export async function plan(device: PlanInput, allocation: Allocation): Promise<Allocated> {
  const decided = await decide(device, {
    choose: () => allocate(device, device.linkedHubs, allocation),
    consult: (hub) => consult(device, hub, allocation),
  })
  return decided as Allocated
}

/** What `plan` would decide, without asking anybody's own code: for what-if, and before a TPM is challenged. */
export async function foreseen(device: PlanInput, allocation: Allocation): Promise<Allocated | Undecided> {
  const decided = await decide(device, {
    choose: () => foresee(device, device.linkedHubs, allocation),
    consult: async (hub) => ({ hub, repeatable: true }),
  })
  return decided as Allocated | Undecided
}

/** Never reprovision; or, where the enrollment says nothing, a device from before reprovisioning. [service-wire §10.1, §10.5] */
function stays({ enrollment, apiVersion }: Pick<PlanInput, 'enrollment' | 'apiVersion'>): boolean {
  return enrollment.reprovisionPolicy ? !enrollment.reprovisionPolicy.updateHubAssignment : apiVersion <= '2018-04-01'
}

interface Choosing<C> {
  readonly choose: () => Promise<C>
  /** What an external policy gives a device that stays at this hub. */
  readonly consult: (hub: LinkedHub) => Promise<Choice>
}

function decide(device: PlanInput, choosing: Choosing<Choice>): Promise<Decided>
function decide(device: PlanInput, choosing: Choosing<Choice | undefined>): Promise<Decided | Undecided>
async function decide(device: PlanInput, choosing: Choosing<Choice | undefined>): Promise<Decided | Undecided> {
  const { registration, linkedHubs, enrollment } = device
  const linked = (hostName: string) => linkedHubs.find((link) => isHub(link, hostName))

  const pending = registration?.placement
  const begunAt = pending && linked(pending.to.assignedHub)
  if (begunAt) return { is: 'finish', hub: begunAt, placement: pending }

  const present = registration?.assignment
  if (present && stays(device)) {
    const hub = linked(present.assignedHub)
    if (!hub) return stay(present, device)
    const { payload } = await choosing.consult(hub)
    return { is: 'refresh', hub, assignment: present, payload }
  }

  const choice = await choosing.choose()
  if (!choice) return { is: 'undecided' }
  const { hub, initialTwin, payload, repeatable } = choice
  const given: Given = { hub, initialTwin, payload }
  const { migrateDeviceData } = reprovisionPolicyOf(enrollment)
  const to = { assignedHub: hub.hostName, deviceId: present?.deviceId ?? initialDeviceId(device) }
  if (!present) return { is: 'first', ...given, to: { ...to, substatus: 'initialAssignment' }, repeatable }
  if (!isHub(hub, present.assignedHub)) {
    const substatus = migrateDeviceData ? 'deviceDataMigrated' : 'deviceDataReset'
    return { is: 'move', ...given, to: { ...to, substatus }, from: present.assignedHub }
  }
  return migrateDeviceData
    ? { is: 'refresh', ...given, assignment: { ...to, substatus: 'reprovisionedToInitialAssignment' } }
    : { is: 'reset', ...given, to: { ...to, substatus: 'deviceDataReset' } }
}

function stay(assignment: Assignment, { needsHubKey }: PlanInput): Decided {
  if (!needsHubKey) return { is: 'stay', assignment }
  throw new Refusal('NoHubLinked', `the hub ${assignment.assignedHub}, which the device is to stay at, is not linked`)
}

const reprovisionByDefault: ReprovisionPolicy = { updateHubAssignment: true, migrateDeviceData: true }

function reprovisionPolicyOf({ reprovisionPolicy }: Enrollment): ReprovisionPolicy {
  return reprovisionPolicy ?? reprovisionByDefault
}

function initialDeviceId({ enrollment, registrationId }: PlanInput): DeviceId {
  if (enrollment.kind === 'group') return deviceIdOf(registrationId)
  return enrollment.deviceId ?? deviceIdOf(enrollment.registrationId)
}
