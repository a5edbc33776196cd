import type { Allocation } from '../allocation/allocate.ts'
import type { AttestationKinds } from '../attestation/attest.ts'
import type { Attested } from '../attestation/attestation.ts'
import type { IotHub } from '../hub/iot-hub.ts'
import type { DeviceId } from '../model/identifiers.ts'
import type { Json } from '../model/json.ts'
import type { Assignment } from '../model/registration.ts'
import type { LinkedHub } from '../model/service.ts'
import type { Reader } from '../store/store.ts'
import type { Journal } from './journal.ts'

/** How a linked hub is reached; while it does not answer, it is waited for until that moment of the monotonic clock. */
export type Hubs = (link: LinkedHub, until: number) => IotHub

/** From the hub: the identity the device has there. */
export interface Provisioned {
  readonly assignment: Assignment
  readonly payload?: Json
  /** Wrapped for the device, base64; only where it has no other way to know its hub key. */
  readonly authenticationKey?: string
  /** What could not be removed now. */
  readonly leftover?: Leftover
}

/** What placing works with. */
export interface PlaceStages {
  readonly store: Reader
  readonly attestation: AttestationKinds
  readonly allocation: Allocation
  readonly hubs: Hubs
  /** Hears of every step that was taken at a hub or in the store, before the next one. */
  readonly onStep?: (step: Step) => Promise<void> | void
}

/** Between any two of these the process may die. */
export type Step =
  'begun' | 'read' | 'journaled' | 'emptied' | 'created' | 'made' | 'committed' | 'removed' | 'placed' | 'ended'

/** A device on its way to a hub. */
export interface Placing extends PlaceStages {
  readonly attested: Attested
  readonly linkedHubs: readonly LinkedHub[]
  readonly journal: Journal
}

/** An identity at a hub that the device does not belong to. */
export interface Leftover {
  readonly hub: string
  readonly deviceId: DeviceId
}

/** Whether the link is to the hub of this name. */
export function isHub({ hostName }: LinkedHub, name: string | undefined): boolean {
  return hostName.toLowerCase() === name?.toLowerCase()
}
