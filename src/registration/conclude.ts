import type { Attested } from '../attestation/attestation.ts'
import { newEtag } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { Failure, Operation, Registration } from '../model/registration.ts'
import { timestamp } from '../model/timestamp.ts'
import { oneRegistration } from '../model/usage.ts'
import { Conflict } from '../store/store.ts'
import { place, type Hubs, type Provisioned } from './place.ts'
import { recordOf } from './record.ts'
import type { Stages } from './register.ts'
import { tracedHub } from './traced-hub.ts'

type Outcome = Provisioned | { readonly failure: Failure }

const unexpected: Failure = { errorCode: 500001, errorMessage: 'An unexpected error occurred.' }

/**
 * Run an operation to its end: place the device, then write its registration and the operation's end in one transaction. If
 * somebody else wrote the registration meanwhile, again from the start: placing twice leaves the device the same.
 */
export async function conclude(
  attested: Attested,
  operation: Operation,
  beforeEnd: () => Promise<void>,
  stages: Stages,
): Promise<Operation> {
  const { store, clock } = stages
  const { idScope } = attested.service
  for (;;) {
    const before = await store.registrations.get(idScope, attested.registrationId)
    const outcome = await placed(attested, before, stages)
    const registration: Registration = {
      ...recordOf(attested, before, timestamp(clock())),
      ...('failure' in outcome
        ? { status: 'failed', assignment: before?.assignment, failure: outcome.failure }
        : { status: 'assigned', assignment: outcome.assignment, payload: outcome.payload }),
      etag: newEtag(),
    }
    const ended: Operation = {
      ...operation,
      status: registration.status,
      result: { registration, authenticationKey: 'failure' in outcome ? undefined : outcome.authenticationKey },
    }
    await beforeEnd()
    try {
      await store.transact((write) => {
        write.registrations.put(idScope, registration, before?.etag)
        write.operations.put(ended)
        // Counted with what it counts, or not at all. [service-wire §14.2]
        if (ended.status === 'assigned') write.usage.add(idScope, oneRegistration(clock()))
      })
      return ended
    } catch (error) {
      if (!(error instanceof Conflict)) throw error
    }
  }
}

async function placed(attested: Attested, before: Registration | undefined, stages: Stages): Promise<Outcome> {
  try {
    const hubs: Hubs = (link) => tracedHub(stages.hubs(link), attested.trail, stages.clock)
    return await place(attested, before, { ...stages, hubs })
  } catch (error) {
    if (error instanceof Refusal) {
      attested.trail.note({ step: 'failure', reason: error.reason, found: error.detail })
      return { failure: { errorCode: error.errorCode, errorMessage: error.publicMessage } }
    }
    stages.onFault(error, attested.trackingId)
    return { failure: unexpected }
  }
}
