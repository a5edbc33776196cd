import { disableDevice } from '../hub/disable.ts'
import type { Hubs } from '../hub/hubs.ts'
import type { IdScope } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { Registration } from '../model/registration.ts'
import { revocationKey } from '../model/revocation.ts'
import { isHub } from '../model/service.ts'
import type { Reader } from '../store/store.ts'

/** What cutting works with. */
export interface CutParts {
  readonly store: Reader
  readonly hubs: Hubs
  readonly onFault: (fault: unknown, trackingId: string) => void
}

/**
 * Disable the identity of a device whose registration ID was revoked while it was being assigned: whoever revoked it may have
 * looked before the assignment was written. Asked after that, so that one of the two sees the other. [service-wire §11]
 */
export async function cutIfRevoked(
  { registrationId, assignment }: Registration,
  idScope: IdScope,
  attempt: { readonly trackingId: string; readonly until: number },
  { store, hubs, onFault }: CutParts,
): Promise<void> {
  if (!assignment || (await store.revocations.none(idScope))) return
  const revocation = await store.revocations.get(idScope, revocationKey({ registrationId }))
  const link = (await store.linkedHubs.all(idScope)).find((hub) => isHub(hub, assignment.assignedHub))
  if (!revocation || !link) return
  try {
    await disableDevice(hubs(link, attempt.until), assignment.deviceId, `revoked: ${revocation.reason}`)
  } catch (error) {
    // The device cannot come back, and the assignment stands: what is left is for the operator to know.
    if (!(error instanceof Refusal)) throw error
    onFault(error, attempt.trackingId)
  }
}
