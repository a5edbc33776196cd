import { allocate, consult } from '../allocation/allocate.ts'
import type { Choice } from '../allocation/allocation.ts'
import type { Attested } from '../attestation/attestation.ts'
import type { Enrollment, ReprovisionPolicy } from '../model/enrollment.ts'
import type { JsonObject } from '../model/json.ts'
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
    // An unlinked hub cannot be spoken to; the assignment stands all the same.
    if (!hub) return { assignment: registration.assignment }
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

/** Never reprovision; or, where the enrollment says nothing, a device from before reprovisioning. [service-wire §10.1, §10.5] */
export function stays({ enrollment, apiVersion }: Attested): boolean {
  return enrollment.reprovisionPolicy ? !enrollment.reprovisionPolicy.updateHubAssignment : apiVersion <= '2018-04-01'
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
  { operationId, now }: Journal,
): Placement {
  const { migrateDeviceData } = policyOf(attested.enrollment)
  const to = { assignedHub: hub.hostName, deviceId: before?.deviceId ?? initialDeviceId(attested) }
  const shared = { operationId, since: now(), phase: 'making', initialTwin, payload } as const
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
