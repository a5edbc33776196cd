import { setTimeout as delay } from 'node:timers/promises'
import { disableDevice } from '../hub/disable.ts'
import type { Hubs } from '../hub/hubs.ts'
import type { IndividualEnrollment } from '../model/enrollment.ts'
import { newEtag, type IdScope } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { Operation } from '../model/registration.ts'
import { isHub, type LinkedHub } from '../model/service.ts'
import { timestamp, type Clocks } from '../base/time.ts'
import { Conflict, type Store } from '../store/store.ts'
import { orphanOperation } from './orphans.ts'
import { abandonment, rollback, waitForAnother } from './rollback.ts'

/** What is to become of a device that is taken out of service. */
export interface Deprovisioning {
  /** Its own enrollment; a device of a group has none, and comes back unless it is revoked. */
  readonly enrollment: 'keep' | 'disable' | 'delete'
  readonly identity: 'keep' | 'disable' | 'remove'
}

/** What became of it. */
export interface Deprovisioned {
  readonly enrollment: 'kept' | 'disabled' | 'deleted' | 'absent'
  readonly registration: 'deleted' | 'absent'
  /** `later`: the hub does not answer; the identity is removed as soon as it does. */
  readonly identity: 'kept' | 'disabled' | 'removed' | 'absent' | 'later' | 'unlinked'
  readonly assignedHub?: string | undefined
}

/** What deprovisioning works with. */
export interface DeprovisionParts extends Clocks {
  readonly store: Store
  readonly hubs: Hubs
  readonly settle: (orphan: Operation) => void
}

/** Milliseconds that an operator waits for the hub. */
const patience = 5000

/**
 * Take a device out of service in one go: its enrollment first, so that it cannot come back; its hub identity; and what is
 * remembered of its registration. The real service leaves the identity in the hub. [service-wire §11]
 */
export async function deprovision(
  idScope: IdScope,
  registrationId: string,
  wanted: Deprovisioning,
  parts: DeprovisionParts,
): Promise<Deprovisioned> {
  const { store, clock, settle } = parts
  const enrollment = await endEnrollment(idScope, registrationId, wanted, parts)
  const abandoned = abandonment(parts)
  for (;;) {
    const registration = await store.registrations.get(idScope, registrationId)
    if (!registration) return { enrollment, registration: 'absent', identity: 'kept' }
    const { placement } = registration
    if (placement && !abandoned(placement)) {
      await delay(waitForAnother)
      continue
    }
    const { assignment, orphan } = rollback(placement, registration.assignment)
    const { assignedHub, deviceId } = assignment ?? {}
    const link = (await store.linkedHubs.all(idScope)).find((linked) => isHub(linked, assignedHub))
    const identity =
      deviceId === undefined ? 'absent' : link ? await endIdentity(link, deviceId, wanted, parts) : 'unlinked'
    const late =
      identity === 'later' && assignment ? { hub: assignment.assignedHub, deviceId: assignment.deviceId } : undefined
    const orphans = [late, orphan].flatMap((left) =>
      left ? [orphanOperation(idScope, registration.registrationId, left, clock)] : [],
    )
    try {
      await store.transact((write) => {
        write.registrations.delete(idScope, registration.registrationId, registration.etag)
        for (const left of orphans) write.operations.put(left)
      })
    } catch (error) {
      if (error instanceof Conflict) continue
      throw error
    }
    orphans.forEach(settle)
    return { enrollment, registration: 'deleted', identity, assignedHub }
  }
}

async function endEnrollment(
  idScope: IdScope,
  registrationId: string,
  { enrollment: wanted }: Deprovisioning,
  { store, clock }: DeprovisionParts,
): Promise<Deprovisioned['enrollment']> {
  for (;;) {
    const stored = await store.enrollments.get(idScope, registrationId)
    if (!stored) return 'absent'
    if (wanted === 'keep') return 'kept'
    const disabled: IndividualEnrollment = {
      ...stored,
      provisioningStatus: 'disabled',
      etag: newEtag(),
      lastUpdatedDateTimeUtc: timestamp(clock()),
    }
    try {
      await store.transact((write) =>
        wanted === 'delete'
          ? write.enrollments.delete(idScope, stored)
          : write.enrollments.replace(idScope, disabled, stored.etag),
      )
      return wanted === 'delete' ? 'deleted' : 'disabled'
    } catch (error) {
      if (!(error instanceof Conflict)) throw error
    }
  }
}

async function endIdentity(
  link: LinkedHub,
  deviceId: string,
  { identity: wanted }: Deprovisioning,
  { hubs, monotonic }: DeprovisionParts,
): Promise<Deprovisioned['identity']> {
  if (wanted === 'keep') return 'kept'
  const hub = hubs(link, monotonic() + patience)
  try {
    if (wanted === 'disable') {
      const result = await disableDevice(hub, deviceId, 'deprovisioned')
      if (result !== 'contended') return result
      throw new Refusal('HubUnavailable', `the identity at ${link.hostName} keeps changing`)
    }
    await hub.remove(deviceId)
    return 'removed'
  } catch (error) {
    // An identity that is to be removed can be remembered; one that is to be disabled is the operator's to try again.
    if (wanted === 'remove' && error instanceof Refusal && error.reason === 'HubUnavailable') return 'later'
    throw error
  }
}
