import { setTimeout as delay } from 'node:timers/promises'
import type { Attested } from '../attestation/attestation.ts'
import { newEtag } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { Failure, Operation, Placement, Registration } from '../model/registration.ts'
import { timestamp } from '../model/timestamp.ts'
import { oneRegistration } from '../model/usage.ts'
import { Conflict } from '../store/store.ts'
import { abandonment, afterFailure, waitForAnother } from './after-failure.ts'
import { cutIfRevoked } from './cut-revoked.ts'
import { openJournal, type Journal } from './journal.ts'
import { leftoverOperation } from './leftovers.ts'
import { place } from './place.ts'
import type { Hubs, Provisioned } from './placing.ts'
import { recordOf } from './record.ts'
import type { Stages } from './register.ts'
import { tracedHub } from './traced-hub.ts'

type Outcome = Provisioned | { readonly failure: Failure }

/** An operation that has come to its end, and what it left behind to be removed. */
export interface Concluded {
  readonly ended: Operation
  readonly leftover?: Operation
}

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
): Promise<Concluded> {
  const { store, clock, monotonic, onStep } = stages
  const { idScope } = attested.service
  const until = monotonic() + stages.patience
  const abandoned = abandonment(stages)
  for (;;) {
    const before = await store.registrations.get(idScope, attested.registrationId)
    if (isAnothers(before?.placement, operation) && !abandoned(before?.placement)) {
      await delay(waitForAnother)
      continue
    }
    const journal = openJournal(attested, operation, before, { store, clock, monotonic, until })
    try {
      const outcome = await placed(attested, before, journal, stages)
      const settled = 'failure' in outcome ? afterFailure(journal.current(), before?.assignment) : outcome
      const registration: Registration = {
        ...recordOf(attested, before, timestamp(clock())),
        ...('failure' in outcome
          ? { status: 'failed', assignment: settled.assignment, failure: outcome.failure }
          : { status: 'assigned', assignment: outcome.assignment, payload: outcome.payload }),
        etag: newEtag(),
      }
      const ended: Operation = {
        ...operation,
        status: registration.status,
        result: { registration, authenticationKey: 'failure' in outcome ? undefined : outcome.authenticationKey },
      }
      const leftover = settled.leftover && leftoverOperation(idScope, attested.registrationId, settled.leftover, clock)
      await beforeEnd()
      await onStep?.('placed')
      await store.transact((write) => {
        write.registrations.put(idScope, registration, journal.etag())
        write.operations.put(ended)
        if (leftover) write.operations.put(leftover)
        // Counted with what it counts, or not at all. [service-wire §14.2]
        if (ended.status === 'assigned') write.usage.add(idScope, oneRegistration(clock()))
      })
      await onStep?.('ended')
      await cutIfRevoked(registration, idScope, { trackingId: attested.trackingId, until }, stages)
      return { ended, leftover }
    } catch (error) {
      if (!(error instanceof Conflict)) throw error
    }
  }
}

function isAnothers(placement: Placement | undefined, { id }: Operation): boolean {
  return placement !== undefined && placement.operationId !== id
}

async function placed(
  attested: Attested,
  before: Registration | undefined,
  journal: Journal,
  stages: Stages,
): Promise<Outcome> {
  try {
    if (!before) await stages.limits?.room(attested.service)
    const hubs: Hubs = (link, until) => tracedHub(stages.hubs(link, until), attested.trail, stages.monotonic)
    return await place(attested, before, journal, { ...stages, hubs })
  } catch (error) {
    if (error instanceof Conflict) throw error
    if (error instanceof Refusal) {
      attested.trail.note({ step: 'failure', reason: error.reason, found: error.detail })
      return { failure: { errorCode: error.errorCode, errorMessage: error.publicMessage } }
    }
    stages.onFault(error, attested.trackingId)
    return { failure: unexpected }
  }
}
