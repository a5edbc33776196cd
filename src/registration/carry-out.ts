import { applyInitialTwin, createAnew, ensureDevice, twinData, type WantedDevice } from '../hub/provision.ts'
import type { IotHub, TwinData } from '../hub/iot-hub.ts'
import type { InitialTwin } from '../model/enrollment.ts'
import { isJsonObject, type Json } from '../model/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Assignment, Placement } from '../model/registration.ts'
import type { Secret } from '../model/secret.ts'
import type { LinkedHub } from '../model/service.ts'
import { isHub, type Leftover, type Placing, type Provisioned } from './placing.ts'

/** How a placement comes to be carried out. */
export interface Carrying {
  /** An earlier run began it and stopped somewhere. */
  readonly begun: boolean
  /** The same hub would be chosen again, so that a first assignment that is cut off needs no record. */
  readonly repeatable: boolean
}

/** Milliseconds that a hub which is to lose a device is waited for, once the device has another. */
const patienceForRemoval = 2000

/** Carry a placement out, from wherever it stopped; each step may be taken twice. */
export async function carryOut(
  placement: Placement,
  link: LinkedHub,
  placing: Placing,
  carrying: Carrying,
): Promise<Provisioned> {
  const hub = placing.hubs(link, placing.journal.until)
  const device = wanted(placing, placement.to.deviceId)
  switch (placement.kind) {
    case 'first':
      return firstAssignment(placement, hub, device, placing, carrying)
    case 'reset':
      return reset(placement, hub, device, placing, carrying)
    case 'move':
      return move(placement, hub, device, placing, carrying)
  }
}

/** Leave the device where it is; its credential may be new, and the identity is made again if it went. */
export async function refresh(
  assignment: Assignment,
  link: LinkedHub,
  placing: Placing,
  { initialTwin, payload }: { readonly initialTwin?: InitialTwin; readonly payload?: Json },
): Promise<Provisioned> {
  const hub = placing.hubs(link, placing.journal.until)
  const device = wanted(placing, assignment.deviceId)
  const { existed, primaryKey } = await ensureDevice(hub, device, true)
  if (!existed) await applyInitialTwin(hub, device.deviceId, initialTwin ?? placing.attested.enrollment.initialTwin)
  return provisioned(assignment, payload, hub, primaryKey, placing)
}

async function firstAssignment(
  placement: Placement,
  hub: IotHub,
  device: WantedDevice,
  placing: Placing,
  { begun, repeatable }: Carrying,
): Promise<Provisioned> {
  const { journal, onStep } = placing
  if (!begun) await journal.begin(placement, !repeatable)
  if (!begun && !repeatable) await onStep?.('journaled')
  const { existed, primaryKey } = await ensureDevice(hub, device, false)
  // What was there before us is not ours to throw away.
  if (existed && !begun) journal.keep()
  await onStep?.('made')
  await applyInitialTwin(hub, device.deviceId, twinOf(placement, placing))
  const substatus = existed && !begun ? 'reprovisionedToInitialAssignment' : 'initialAssignment'
  return provisioned({ ...placement.to, substatus }, placement.payload, hub, primaryKey, placing)
}

async function reset(
  placement: Placement,
  hub: IotHub,
  device: WantedDevice,
  placing: Placing,
  { begun }: Carrying,
): Promise<Provisioned> {
  const { journal, onStep } = placing
  if (!begun) await journal.begin(placement, true)
  await onStep?.('journaled')
  await hub.remove(device.deviceId)
  await onStep?.('emptied')
  await makeWhole(hub, device, undefined, placement, placing)
  const { primaryKey } = await ensureDevice(hub, device, true)
  return provisioned(placement.to, placement.payload, hub, primaryKey, placing)
}

/** The new hub has the whole device before the old one loses it, and what it had there is written down before either. */
async function move(
  planned: Placement,
  hub: IotHub,
  device: WantedDevice,
  placing: Placing,
  { begun }: Carrying,
): Promise<Provisioned> {
  const { journal, onStep, linkedHubs, hubs } = placing
  const oldLink = linkedHubs.find((link) => isHub(link, planned.from))
  let placement = planned
  if (placement.phase === 'making') {
    const twin = await twinToMove(placement, oldLink && hubs(oldLink, journal.until))
    await onStep?.('read')
    const substatus = twin ? 'deviceDataMigrated' : 'deviceDataReset'
    placement = { ...placement, twin: twin && { ...twin }, to: { ...placement.to, substatus } }
    await journal.begin(placement, true)
    await onStep?.('journaled')
    await makeWhole(hub, device, twin, placement, placing)
    placement = { ...placement, phase: 'removing' }
    await journal.begin(placement, true)
    await onStep?.('committed')
  } else if (!(await hub.device(device.deviceId))) {
    await makeWhole(hub, device, storedTwin(placement), placement, placing)
  }
  const { primaryKey } = await ensureDevice(hub, device, true)
  const leftover = oldLink && (await removeOld(oldLink, device.deviceId, placing))
  await onStep?.('removed')
  if (!oldLink) note(placing, String(placement.from), 'is not linked any more: the identity there could not be removed')
  if (placement.twin?.['reported'] && !begun) await checkReported(hub, device.deviceId, placing)
  return { ...provisioned(placement.to, placement.payload, hub, primaryKey, placing), leftover }
}

/** The device with what it had, or with its first configuration. */
async function makeWhole(
  hub: IotHub,
  device: WantedDevice,
  twin: TwinData | undefined,
  placement: Placement,
  placing: Placing,
): Promise<void> {
  await createAnew(hub, device, twin)
  await placing.onStep?.('created')
  if (!twin) await applyInitialTwin(hub, device.deviceId, twinOf(placement, placing))
  await placing.onStep?.('made')
}

/** As it is now; or, where the old hub has lost the device, as it was when the move began. */
async function twinToMove(placement: Placement, old: IotHub | undefined): Promise<TwinData | undefined> {
  if (placement.to.substatus !== 'deviceDataMigrated') return undefined
  const twin = await old?.twin(placement.to.deviceId)
  return twin ? twinData(twin) : storedTwin(placement)
}

function storedTwin({ twin }: Placement): TwinData | undefined {
  if (!twin) return undefined
  const [tags, desired, reported] = [twin['tags'], twin['desired'], twin['reported']]
  return {
    ...(isJsonObject(tags) && { tags }),
    ...(isJsonObject(desired) && { desired }),
    ...(isJsonObject(reported) && { reported }),
  }
}

/** The device has its new hub already: an old one that does not answer is no reason to keep it waiting. */
async function removeOld(link: LinkedHub, deviceId: string, placing: Placing): Promise<Leftover | undefined> {
  const { journal, hubs } = placing
  try {
    await hubs(link, Math.min(journal.until, journal.monotonic() + patienceForRemoval)).remove(deviceId)
    return undefined
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    note(placing, link.hostName, `the identity is removed later: ${error.detail}`)
    return { hub: link.hostName, deviceId }
  }
}

async function checkReported(hub: IotHub, deviceId: string, placing: Placing): Promise<void> {
  const twin = await hub.twin(deviceId)
  const kept = twin && twinData(twin).reported !== undefined
  if (!kept) note(placing, hub.hostName, 'the hub ignored the reported properties')
}

function provisioned(
  assignment: Assignment,
  payload: Json | undefined,
  { hostName }: IotHub,
  primaryKey: Secret | undefined,
  placing: Placing,
): Provisioned {
  const { attestation, attested } = placing
  const { enrollment, evidence } = attested
  const seal = attestation[enrollment.attestation.type]?.seal
  note(placing, hostName, assignment.substatus)
  return { assignment, payload, authenticationKey: primaryKey && seal?.(evidence, primaryKey, hostName) }
}

function note({ attested }: Placing, hub: string, found: string): void {
  attested.trail.note({ step: 'hub', hub, call: attested.registrationId, found })
}

function twinOf({ initialTwin }: Placement, { attested }: Placing): InitialTwin | undefined {
  return initialTwin ?? attested.enrollment.initialTwin
}

function wanted({ attested: { enrollment, evidence }, attestation }: Placing, deviceId: string): WantedDevice {
  const kind = attestation[enrollment.attestation.type]
  if (!kind)
    throw new Refusal('AttestationTypeMismatch', `${enrollment.attestation.type} attestation is not offered here`)
  return {
    deviceId,
    credential: kind.hubCredential(enrollment.attestation, evidence),
    iotEdge: enrollment.capabilities?.iotEdge ?? false,
  }
}
