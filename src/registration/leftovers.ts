import { newOperationId, type IdScope, type RegistrationId } from '../model/identifiers.ts'
import { isJsonObject } from '../model/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Operation, Registration } from '../model/registration.ts'
import type { Clock, Monotonic } from '../model/timestamp.ts'
import type { Reader } from '../store/store.ts'
import { isHub, type Hubs, type Leftover } from './placing.ts'

/** Remember, as an operation that nobody polls, that a leftover has to go; it outlives the process. */
export function leftoverOperation(
  idScope: IdScope,
  registrationId: RegistrationId,
  { hub, deviceId }: Leftover,
  clock: Clock,
): Operation {
  const id = newOperationId(idScope, registrationId)
  return { id, idScope, registrationId, status: 'assigning', resume: { leftover: hub, deviceId }, createdAt: clock() }
}

/** What `leftoverOperation` remembers; undefined for the operation of a device. */
export function leftoverOf({ resume }: Operation): Leftover | undefined {
  if (!isJsonObject(resume)) return undefined
  const { leftover, deviceId } = resume
  return typeof leftover === 'string' && typeof deviceId === 'string' ? { hub: leftover, deviceId } : undefined
}

/** Milliseconds before the next attempt, after so many that failed. */
export function leftoverPause(attempts: number, random: number): number {
  return Math.min(1000 * 2 ** attempts, 60_000) * (0.5 + random)
}

/** Remove what was left, unless the device belongs there by now; false if the hub does not answer and it must be tried again. */
export async function removeLeftover(
  operation: Operation,
  { hub: hostName, deviceId }: Leftover,
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
  return homes.some((home) => home?.toLowerCase() === hostName.toLowerCase())
}
