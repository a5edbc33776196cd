import type { Provers } from '../attestation/attestation-kind.ts'
import type { Attested } from '../attestation/attestation.ts'
import type { Hubs } from '../hub/hubs.ts'
import type { IotHub, TwinData } from '../hub/iot-hub.ts'
import { applyInitialTwin, createAnew, type WantedDevice } from '../hub/provision.ts'
import type { InitialTwin } from '../model/enrollment.ts'
import type { Brand } from '../base/brand.ts'
import type { Json } from '../base/json.ts'
import type { Assignment, Placement } from '../model/registration.ts'
import type { Secret } from '../base/secret.ts'
import type { LinkedHub } from '../model/service.ts'
import type { Orphan } from './orphans.ts'
import type { PlacementLog } from './placement-log.ts'

/** The identity that the device has at its hub: from `provisioned`, after the last step of a placement. */
export interface Provisioned extends Brand<'provisioned'> {
  readonly assignment: Assignment
  readonly payload?: Json | undefined
  /** Wrapped for the device, base64; only where it has no other way to know its hub key. */
  readonly authenticationKey?: string | undefined
  /** What could not be removed now. */
  readonly orphan?: Orphan | undefined
}

/** What applying a plan works with. */
export interface ApplyDependencies {
  readonly linkedHubs: readonly LinkedHub[]
  readonly hubs: Hubs
  readonly attestation: Provers
  /** Hears of every step that was taken at a hub or in the store, before the next one. */
  readonly onStep?: ((step: Step) => Promise<void> | void) | undefined
}

/** Between any two of these the process may die. */
export type Step =
  'begun' | 'read' | 'journaled' | 'emptied' | 'created' | 'made' | 'committed' | 'removed' | 'placed' | 'ended'

/** One placement on its way: whose it is, the hub and the identity that it makes there, and where it is written down. */
export interface Applying extends ApplyDependencies {
  readonly attested: Attested
  readonly log: PlacementLog
  readonly hub: IotHub
  readonly device: WantedDevice
  /** An earlier run began it. */
  readonly begun: boolean
}

/** Make the device anew with what it had, or with its first configuration. */
export async function makeWhole(
  twin: TwinData | undefined,
  placement: Placement,
  { hub, device, attested, onStep }: Applying,
): Promise<void> {
  await createAnew(hub, device, twin)
  await onStep?.('created')
  if (!twin) await applyInitialTwin(hub, device.deviceId, firstTwin(placement.initialTwin, attested))
  await onStep?.('made')
}

/** What a placement ends in, with the key that a device cannot know otherwise wrapped for it. */
export function provisioned(
  assignment: Assignment,
  payload: Json | undefined,
  primaryKey: Secret | undefined,
  { attestation, attested, hub }: Applying,
): Provisioned {
  const { enrollment, evidence } = attested
  const seal = attestation[enrollment.attestation.type]?.seal
  noteHub(attested, hub.hostName, assignment.substatus)
  const authenticationKey = primaryKey && seal?.(evidence, primaryKey, hub.hostName)
  return { assignment, payload, authenticationKey } as Provisioned
}

/** Of a device that stays at a hub that is not linked any more: it keeps what it has, and nothing can be said of its key. */
export function provisionedBefore(assignment: Assignment): Provisioned {
  return { assignment } as Provisioned
}

/** The twin that a device begins with: custom allocation's, or its enrollment's. */
export function firstTwin(given: InitialTwin | undefined, { enrollment }: Attested): InitialTwin | undefined {
  return given ?? enrollment.initialTwin
}

/** Tell the operator what became of the device at a hub. */
export function noteHub({ trail, registrationId }: Attested, hub: string, found: string): void {
  trail.note({ step: 'hub', hub, call: registrationId, found })
}
