import type { Hubs } from '../hub/hubs.ts'
import { newOperationId, type DeviceId, type IdScope, type RegistrationId, isDeviceId } from '../model/identifiers.ts'
import { isJsonObject } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Operation, Registration } from '../model/registration.ts'
import { isHub } from '../model/service.ts'
import type { Clock, Monotonic } from '../base/time.ts'
import type { Reader } from '../store/store.ts'

/** An identity at a hub that the device does not belong to. */
export interface Orphan {
  readonly hub: string
  readonly deviceId: DeviceId
}

/** Remember, as an operation that nobody polls, that an orphan has to go; it outlives the process. */
export function orphanOperation(
  idScope: IdScope,
  registrationId: RegistrationId,
  { hub, deviceId }: Orphan,
  clock: Clock,
): Operation {
  const id = newOperationId(idScope, registrationId)
  // The member has been called `leftover` since 0.1.0; records of that time are still read.
  return { id, idScope, registrationId, status: 'assigning', resume: { leftover: hub, deviceId }, createdAt: clock() }
}

/** What `orphanOperation` remembers; undefined for the operation of a device. */
export function orphanOf({ resume }: Operation): Orphan | undefined {
  if (!isJsonObject(resume)) return undefined
  const { leftover, deviceId } = resume
  return typeof leftover === 'string' && typeof deviceId === 'string' && isDeviceId(deviceId)
    ? { hub: leftover, deviceId }
    : undefined
}

/** Milliseconds before the next attempt, after so many that failed. */
export function orphanPause(attempts: number, random: number): number {
  return Math.min(1000 * 2 ** attempts, 60_000) * (0.5 + random)
}

/** Remove an orphan, unless the device belongs there by now; false if the hub does not answer and it must be tried again. */
export async function removeOrphan(
  operation: Operation,
  { hub: hostName, deviceId }: Orphan,
  { store, hubs, monotonic }: { readonly store: Reader; readonly hubs: Hubs; readonly monotonic: Monotonic },
): Promise<boolean> {
  const { idScope, registrationId } = operation
  const link = (await store.linkedHubs.all(idScope)).find((linked) => isHub(linked, hostName))
  // An unlinked hub cannot be spoken to.
  if (!link || belongsTo(await store.registrations.get(idScope, registrationId), hostName)) return true
  try {
    await hubs(link, monotonic()).remove(deviceId)
    return true
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

function belongsTo(registration: Registration | undefined, hostName: string): boolean {
  const homes = [registration?.assignment?.assignedHub, registration?.placement?.to.assignedHub]
  return homes.some((home) => isHub({ hostName }, home))
}
