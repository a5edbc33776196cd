import { allocate, consult, foresee } from '../allocation/allocate.ts'
import type { Choice } from '../allocation/allocation.ts'
import type { Attested } from '../attestation/attestation.ts'
import type { Enrollment, ReprovisionPolicy } from '../model/enrollment.ts'
import type { JsonObject } from '../model/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Assignment, Placement, Registration } from '../model/registration.ts'
import { carryOut, refresh } from './carry-out.ts'
import type { Journal } from './journal.ts'
import { isHub, type PlaceStages, type Placing, type Provisioned } from './placing.ts'

/**
 * Take an attested device to its hub: finish what was begun; else choose the hub, then create, refresh or move the identity
 * there. Repeating it ends the same. [service-wire §10.2]
 */
export async function place(
  attested: Attested,
  registration: Registration | undefined,
  journal: Journal,
  stages: PlaceStages,
): Promise<Provisioned> {
  const linkedHubs = await stages.store.linkedHubs.all(attested.service.idScope)
  const placing: Placing = { ...stages, attested, linkedHubs, journal }
  await stages.onStep?.('begun')

  const pending = registration?.placement
  const begunAt = pending && linkedHubs.find((link) => isHub(link, pending.to.assignedHub))
  if (begunAt) return carryOut(pending, begunAt, placing, { begun: true, repeatable: false })

  const device = { ...attested, proof: proofOf(attested, stages), registration }
  if (registration?.assignment && stays(attested)) {
    const hub = linkedHubs.find((link) => isHub(link, registration.assignment?.assignedHub))
    if (!hub) return unlinked(attested, registration.assignment, stages.attestation)
    const { payload } = await consult(device, hub, stages.allocation)
    return refresh(registration.assignment, hub, placing, { payload })
  }

  const choice = await allocate(device, linkedHubs, stages.allocation)
  const before = registration?.assignment
  if (before && isHub(choice.hub, before.assignedHub) && policyOf(attested.enrollment).migrateDeviceData) {
    const assignment: Assignment = { ...before, substatus: 'reprovisionedToInitialAssignment' }
    return refresh({ ...assignment, assignedHub: choice.hub.hostName }, choice.hub, placing, choice)
  }
  return carryOut(planned(attested, before, choice, journal), choice.hub, placing, { ...choice, begun: false })
}

/** Refuses if it is plain that there will be no hub for the device; asks no hub, and nobody's own code. */
export async function foreseePlace(
  device: Pick<Attested, 'service' | 'registrationId' | 'enrollment' | 'apiVersion'>,
  { store, attestation, allocation }: Pick<PlaceStages, 'store' | 'attestation' | 'allocation'>,
): Promise<void> {
  const { idScope } = device.service
  const linkedHubs = await store.linkedHubs.all(idScope)
  const registration = await store.registrations.get(idScope, device.registrationId)
  const assignment = registration?.assignment
  if (!assignment || !stays(device)) foresee(device, linkedHubs, allocation)
  else if (!linkedHubs.some((link) => isHub(link, assignment.assignedHub))) unlinked(device, assignment, attestation)
}

/** Never reprovision; or, where the enrollment says nothing, a device from before reprovisioning. [service-wire §10.1, §10.5] */
export function stays({ enrollment, apiVersion }: Pick<Attested, 'enrollment' | 'apiVersion'>): boolean {
  return enrollment.reprovisionPolicy ? !enrollment.reprovisionPolicy.updateHubAssignment : apiVersion <= '2018-04-01'
}

/** An unlinked hub cannot be spoken to. The assignment stands all the same, unless the device waits for a key of that hub. */
function unlinked(
  { enrollment }: Pick<Attested, 'enrollment'>,
  assignment: Assignment,
  attestation: PlaceStages['attestation'],
): Provisioned {
  if (!attestation[enrollment.attestation.type]?.seal) return { assignment }
  throw new Refusal('NoHubLinked', `the hub ${assignment.assignedHub}, which the device is to stay at, is not linked`)
}

/** What a custom policy is told: one member, named by the kind of attestation. [service-wire §9.3] */
function proofOf({ enrollment, evidence }: Attested, { attestation }: PlaceStages): JsonObject {
  const { type } = enrollment.attestation
  return { [type]: attestation[type]?.context(evidence) }
}

/** A device's first hub; a factory reset where it is, because reported properties cannot be written there; or another hub. */
function planned(
  attested: Attested,
  before: Assignment | undefined,
  { hub, initialTwin, payload }: Choice,
  { operationId, since }: Journal,
): Placement {
  const { migrateDeviceData } = policyOf(attested.enrollment)
  const to = { assignedHub: hub.hostName, deviceId: before?.deviceId ?? initialDeviceId(attested) }
  const shared = { operationId, since, phase: 'making', initialTwin, payload } as const
  if (!before) return { ...shared, kind: 'first', to: { ...to, substatus: 'initialAssignment' } }
  if (isHub(hub, before.assignedHub)) return { ...shared, kind: 'reset', to: { ...to, substatus: 'deviceDataReset' } }
  const substatus = migrateDeviceData ? 'deviceDataMigrated' : 'deviceDataReset'
  return { ...shared, kind: 'move', to: { ...to, substatus }, from: before.assignedHub }
}

const reprovisionByDefault: ReprovisionPolicy = { updateHubAssignment: true, migrateDeviceData: true }

function policyOf({ reprovisionPolicy }: Enrollment): ReprovisionPolicy {
  return reprovisionPolicy ?? reprovisionByDefault
}

function initialDeviceId({ enrollment, registrationId }: Attested): string {
  if (enrollment.kind === 'group') return registrationId
  return enrollment.deviceId ?? enrollment.registrationId
}
