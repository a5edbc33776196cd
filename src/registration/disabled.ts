import type { Verdict } from '../attestation/attestation.ts'
import { newEtag, noOperationId } from '../model/identifiers.ts'
import type { Operation, Registration } from '../model/registration.ts'
import { timestamp, type Clock } from '../base/time.ts'
import { Conflict, type Store } from '../store/store.ts'
import { recordOf } from './record.ts'

/**
 * A disabled enrollment is answered at once, with an empty operation ID; the registration says `disabled` from then on, and
 * keeps its assignment for the day it is enabled again. [device-wire §1.5; service-wire §5]
 */
export async function disabledOperation(
  { presented, enrollment }: Extract<Verdict, { is: 'disabled' }>,
  { store, clock }: { readonly store: Store; readonly clock: Clock },
): Promise<Operation> {
  const { idScope } = presented.service
  for (;;) {
    const before = await store.registrations.get(idScope, presented.registrationId)
    const registration: Registration = {
      ...recordOf({ ...presented, enrollment }, before, timestamp(clock())),
      status: 'disabled',
      assignment: before?.assignment,
      // What was begun before it was disabled is still to be finished or taken back.
      placement: before?.placement,
      etag: newEtag(),
    }
    try {
      await store.transact((write) => write.registrations.put(idScope, registration, before?.etag))
    } catch (error) {
      if (error instanceof Conflict) continue
      throw error
    }
    const { registrationId } = presented
    return {
      id: noOperationId,
      idScope,
      registrationId,
      status: 'disabled',
      result: { registration },
      createdAt: clock(),
    }
  }
}
