import { allocate, type Allocation } from '../allocation/allocate.ts'
import type { Choice } from '../allocation/allocation.ts'
import type { AttestationKinds } from '../attestation/attest.ts'
import type { Attested } from '../attestation/attestation.ts'
import type { IotHub } from '../hub/iot-hub.ts'
import { applyInitialTwin, createWithTwin, ensureDevice, twinData, type WantedDevice } from '../hub/provision.ts'
import type { Enrollment, ReprovisionPolicy } from '../model/enrollment.ts'
import { Refusal } from '../model/refusal.ts'
import type { Secret } from '../model/secret.ts'
import type { Json, JsonObject } from '../model/json.ts'
import type { Assignment, Registration, Substatus } from '../model/registration.ts'
import type { LinkedHub } from '../model/service.ts'
import type { Reader } from '../store/store.ts'

/** How a linked hub is reached. */
export type Hubs = (link: LinkedHub) => IotHub

/** From allocation: the hub the device belongs to. */
export interface Allocated extends Attested, Omit<Choice, 'hub'> {
  readonly registration?: Registration
  readonly linkedHubs: readonly LinkedHub[]
  readonly hub: LinkedHub
}

/** From the hub: the identity the device has there. */
export interface Provisioned {
  readonly assignment: Assignment
  readonly payload?: Json
  /** Wrapped for the device, base64; only where it has no other way to know its hub key. */
  readonly authenticationKey?: string
}

/** What placing works with. */
export interface PlaceStages {
  readonly store: Reader
  readonly attestation: AttestationKinds
  readonly allocation: Allocation
  readonly hubs: Hubs
}

/**
 * Take an attested device to its hub: choose the hub, then create, refresh or move the identity there. Repeating it ends the
 * same. [service-wire §10.2]
 */
export async function place(
  attested: Attested,
  registration: Registration | undefined,
  stages: PlaceStages,
): Promise<Provisioned> {
  const linkedHubs = await stages.store.linkedHubs.all(attested.service.idScope)
  if (registration?.assignment && stays(attested))
    return refreshWhereItIs(attested, registration.assignment, linkedHubs, stages)

  const choice = await allocate(
    { ...attested, proof: proofOf(attested, stages), registration },
    linkedHubs,
    stages.allocation,
  )
  return provision({ ...attested, ...choice, registration, linkedHubs }, stages)
}

/** What a custom policy is told: one member, named by the kind of attestation. [service-wire §9.3] */
function proofOf({ enrollment, evidence }: Attested, { attestation }: PlaceStages): JsonObject {
  const { type } = enrollment.attestation
  return { [type]: attestation[type]?.context(evidence) }
}

/** Never reprovision; or, where the enrollment says nothing, a device from before reprovisioning. [service-wire §10.1, §10.5] */
function stays({ enrollment, apiVersion }: Attested): boolean {
  return enrollment.reprovisionPolicy ? !enrollment.reprovisionPolicy.updateHubAssignment : apiVersion <= '2018-04-01'
}

const reprovisionByDefault: ReprovisionPolicy = { updateHubAssignment: true, migrateDeviceData: true }

async function refreshWhereItIs(
  attested: Attested,
  assignment: Assignment,
  linkedHubs: readonly LinkedHub[],
  stages: PlaceStages,
): Promise<Provisioned> {
  const hub = linkedHubs.find((link) => isHub(link, assignment.assignedHub))
  // An unlinked hub cannot be spoken to; the assignment stands all the same.
  if (!hub) return { assignment }
  const { primaryKey } = await ensureDevice(stages.hubs(hub), wanted(attested, assignment.deviceId, stages), true)
  return { assignment, authenticationKey: seal(attested, hub, primaryKey, stages) }
}

async function provision(allocated: Allocated, stages: PlaceStages): Promise<Provisioned> {
  const { enrollment, hub: link, registration, payload, trail } = allocated
  const before = registration?.assignment
  const deviceId = before?.deviceId ?? initialDeviceId(allocated)
  const device = wanted(allocated, deviceId, stages)
  const hub = stages.hubs(link)
  const { substatus, primaryKey } = !before
    ? await firstAssignment(hub, device, allocated)
    : isHub(link, before.assignedHub)
      ? await sameHub(hub, device, allocated)
      : await move(hub, device, before, allocated, stages)
  trail.note({ step: 'hub', hub: link.hostName, call: deviceId, found: substatus })
  return {
    assignment: { assignedHub: link.hostName, deviceId, substatus },
    payload: enrollment.allocationPolicy === 'custom' ? payload : undefined,
    authenticationKey: seal(allocated, link, primaryKey, stages),
  }
}

interface Placed {
  readonly substatus: Substatus
  readonly primaryKey?: Secret
}

async function firstAssignment(hub: IotHub, device: WantedDevice, allocated: Allocated): Promise<Placed> {
  const { existed, primaryKey } = await ensureDevice(hub, device, false)
  await applyInitialTwin(hub, device.deviceId, initialTwin(allocated))
  return { substatus: existed ? 'reprovisionedToInitialAssignment' : 'initialAssignment', primaryKey }
}

async function sameHub(hub: IotHub, device: WantedDevice, allocated: Allocated): Promise<Placed> {
  if (!policyOf(allocated.enrollment).migrateDeviceData) {
    // Reported properties cannot be written over REST, so a reset makes the device anew. [service-wire §10.3]
    await hub.remove(device.deviceId)
    return { ...(await firstAssignment(hub, device, allocated)), substatus: 'deviceDataReset' }
  }
  const { existed, primaryKey } = await ensureDevice(hub, device, true)
  if (!existed) await applyInitialTwin(hub, device.deviceId, initialTwin(allocated))
  return { substatus: 'reprovisionedToInitialAssignment', primaryKey }
}

/** The new hub has the device before the old one loses it. */
async function move(
  hub: IotHub,
  device: WantedDevice,
  before: Assignment,
  allocated: Allocated,
  stages: PlaceStages,
): Promise<Placed> {
  const { enrollment, linkedHubs } = allocated
  const oldLink = linkedHubs.find((link) => isHub(link, before.assignedHub))
  const old = oldLink && stages.hubs(oldLink)
  const migrates = policyOf(enrollment).migrateDeviceData
  const twin = migrates ? await old?.twin(before.deviceId) : undefined
  if (twin) await createWithTwin(hub, device, twinData(twin))
  const { primaryKey } = await ensureDevice(hub, device, twin !== undefined)
  if (!twin) await applyInitialTwin(hub, device.deviceId, initialTwin(allocated))
  await old?.remove(before.deviceId)
  return { substatus: twin ? 'deviceDataMigrated' : 'deviceDataReset', primaryKey }
}

function policyOf({ reprovisionPolicy }: Enrollment): ReprovisionPolicy {
  return reprovisionPolicy ?? reprovisionByDefault
}

function initialTwin({ initialTwin: chosen, enrollment }: Allocated) {
  return chosen ?? enrollment.initialTwin
}

function initialDeviceId({ enrollment, registrationId }: Attested): string {
  if (enrollment.kind === 'group') return registrationId
  return enrollment.deviceId ?? enrollment.registrationId
}

function wanted({ enrollment, evidence }: Attested, deviceId: string, { attestation }: PlaceStages): WantedDevice {
  const kind = attestation[enrollment.attestation.type]
  if (!kind)
    throw new Refusal('AttestationTypeMismatch', `${enrollment.attestation.type} attestation is not offered here`)
  return {
    deviceId,
    credential: kind.hubCredential(enrollment.attestation, evidence),
    iotEdge: enrollment.capabilities?.iotEdge ?? false,
  }
}

function seal(
  { enrollment, evidence }: Attested,
  { hostName }: LinkedHub,
  primaryKey: Secret | undefined,
  { attestation }: PlaceStages,
): string | undefined {
  return primaryKey && attestation[enrollment.attestation.type]?.seal?.(evidence, primaryKey, hostName)
}

function isHub({ hostName }: LinkedHub, name: string): boolean {
  return hostName.toLowerCase() === name.toLowerCase()
}
