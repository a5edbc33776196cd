import type { Provers } from '../attestation/attestation-kind.ts'
import type { DeviceId } from '../model/identifiers.ts'
import type { Attested } from '../attestation/attestation.ts'
import { applyInitialTwin, ensureDevice, type WantedDevice } from '../hub/provision.ts'
import { Refusal } from '../model/refusal.ts'
import type { Assignment, Placement } from '../model/registration.ts'
import {
  firstTwin,
  makeWhole,
  provisioned,
  provisionedBefore,
  type ApplyDependencies,
  type Applying,
  type Provisioned,
} from './applying.ts'
import { move } from './move.ts'
import type { PlacementLog } from './placement-log.ts'
import type { Allocated } from './plan.ts'

/**
 * Carry a plan out: create, refresh or move the device's identity. Idempotent: after a crash the plan is made again, `finish`
 * where the placement was written down, and applying it ends the same.
 */
export async function apply(
  allocated: Allocated,
  attested: Attested,
  log: PlacementLog,
  dependencies: ApplyDependencies,
): Promise<Provisioned> {
  if (allocated.is === 'stay') return provisionedBefore(allocated.assignment)
  const { deviceId } = destinationOf(allocated)
  const applying: Applying = {
    ...dependencies,
    attested,
    log,
    hub: dependencies.hubs(allocated.hub, log.until),
    device: wantedDevice(attested, deviceId, dependencies.attestation),
    begun: allocated.is === 'finish',
  }
  switch (allocated.is) {
    case 'finish':
      return place(allocated.placement, true, applying)
    case 'refresh':
      return refresh(allocated, applying)
    case 'first':
      return place(newPlacement('first', allocated, log), !allocated.repeatable, applying)
    case 'reset':
      return place(newPlacement('reset', allocated, log), true, applying)
    case 'move':
      return place({ ...newPlacement('move', allocated, log), from: allocated.from }, true, applying)
  }
}

/** Carry out a placement from wherever it stopped; each step may be taken twice. */
function place(placement: Placement, durably: boolean, applying: Applying): Promise<Provisioned> {
  switch (placement.kind) {
    case 'first':
      return assignFirst(placement, durably, applying)
    case 'reset':
      return reset(placement, applying)
    case 'move':
      return move(placement, applying)
  }
}

async function assignFirst(placement: Placement, durably: boolean, applying: Applying): Promise<Provisioned> {
  const { log, hub, device, begun, attested, onStep } = applying
  if (!begun) await log.begin(placement, durably)
  if (!begun && durably) await onStep?.('journaled')
  const { existed, primaryKey } = await ensureDevice(hub, device, false)
  // What was there before us is not ours to throw away.
  if (existed && !begun) log.keep()
  await onStep?.('made')
  await applyInitialTwin(hub, device.deviceId, firstTwin(placement.initialTwin, attested))
  const substatus = existed && !begun ? 'reprovisionedToInitialAssignment' : 'initialAssignment'
  return provisioned({ ...placement.to, substatus }, placement.payload, primaryKey, applying)
}

async function reset(placement: Placement, applying: Applying): Promise<Provisioned> {
  const { log, hub, device, begun, onStep } = applying
  if (!begun) await log.begin(placement, true)
  await onStep?.('journaled')
  await hub.remove(device.deviceId)
  await onStep?.('emptied')
  await makeWhole(undefined, placement, applying)
  const { primaryKey } = await ensureDevice(hub, device, true)
  return provisioned(placement.to, placement.payload, primaryKey, applying)
}

/** The device stays where it is; its credential may be new, and the identity is made again if it went. */
async function refresh(
  { assignment, initialTwin, payload }: Extract<Allocated, { is: 'refresh' }>,
  applying: Applying,
): Promise<Provisioned> {
  const { hub, device, attested } = applying
  const { existed, primaryKey } = await ensureDevice(hub, device, true)
  if (!existed) await applyInitialTwin(hub, device.deviceId, firstTwin(initialTwin, attested))
  return provisioned(assignment, payload, primaryKey, applying)
}

function newPlacement(
  kind: Placement['kind'],
  { to, initialTwin, payload }: Extract<Allocated, { to: Assignment }>,
  { operationId, since }: PlacementLog,
): Placement {
  return { kind, operationId, since, phase: 'making', to, initialTwin, payload }
}

function destinationOf(allocated: Exclude<Allocated, { is: 'stay' }>): Assignment {
  switch (allocated.is) {
    case 'finish':
      return allocated.placement.to
    case 'refresh':
      return allocated.assignment
    default:
      return allocated.to
  }
}

function wantedDevice({ enrollment, evidence }: Attested, deviceId: DeviceId, kinds: Provers): WantedDevice {
  const kind = kinds[enrollment.attestation.type]
  if (!kind)
    throw new Refusal('AttestationTypeMismatch', `${enrollment.attestation.type} attestation is not offered here`)
  return {
    deviceId,
    credential: kind.hubCredential(enrollment.attestation, evidence),
    iotEdge: enrollment.capabilities?.iotEdge ?? false,
  }
}
