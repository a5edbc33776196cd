import { setTimeout as delay } from 'node:timers/promises'
import { attest } from '../attestation/attest.ts'
import type { Attested, Challenge } from '../attestation/attestation.ts'
import { enrollmentId } from '../model/enrollment.ts'
import { newEtag } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { Failure, Operation, Placement, Registration } from '../model/registration.ts'
import { timestamp } from '../base/time.ts'
import { oneRegistration } from '../model/usage.ts'
import { Conflict } from '../store/store.ts'
import { admit, type DeviceRequest } from './admit.ts'
import { apply } from './apply.ts'
import type { Provisioned } from './applying.ts'
import { cutIfRevoked } from './cut-revoked.ts'
import type { RegistrationDependencies } from './dependencies.ts'
import { disabledOperation } from './disabled.ts'
import type { Ended, OperationRunner } from './operation-runner.ts'
import { orphanOperation } from './orphans.ts'
import { openPlacementLog, type PlacementLog } from './placement-log.ts'
import { foreseen, plan } from './plan.ts'
import { planInput, readPlanInput } from './plan-input.ts'
import { recordOf } from './record.ts'
import { abandonment, rollback, waitForAnother } from './rollback.ts'
import { tracedHub } from './traced-hub.ts'
import { tellFailure } from './standing.ts'
import { beginTrail, endingOfThrown, markTold } from './trail.ts'

/** What a device is answered with. */
export type RegisterAnswer = { readonly operation: Operation } | { readonly challenge: Challenge }

/**
 * A device's way through: admit, attest; then, as an operation that survives a crash, plan and apply. Rejects with a Refusal
 * for whoever may not register; where there is no hub for an attested device, the operation ends `failed`.
 */
export async function register(
  request: DeviceRequest,
  dependencies: RegistrationDependencies,
  operations: OperationRunner,
): Promise<RegisterAnswer> {
  const { store, monotonic, attestation, limits, onDecision } = dependencies
  const trail = beginTrail(request, dependencies, onDecision)
  try {
    const presented = await admit(request, store, trail)
    limits?.payload(presented.service, request.payload)
    const startedAt = monotonic()
    const verdict = await attest(presented, attestation, store)
    const { enrollment } = verdict.is === 'attested' ? verdict.attested : verdict
    trail.note({ step: 'attested', enrollment: enrollmentId(enrollment), milliseconds: monotonic() - startedAt })
    switch (verdict.is) {
      case 'disabled': {
        const operation = await disabledOperation(verdict, dependencies)
        trail.end({ outcome: 'disabled' })
        return { operation }
      }
      case 'challenged': {
        // Accepting the challenge costs the device its hub key: that there is a hub for it comes first. [device-wire §5.6]
        await foreseen(await readPlanInput({ ...presented, enrollment }, dependencies), dependencies.allocation)
        const challenge = await verdict.issue()
        trail.end({ outcome: 'challenged' })
        return { challenge }
      }
      case 'attested':
        request.standing?.proved()
        await attestation[enrollment.attestation.type]?.remember?.(verdict.attested)
        return { operation: await operations.run(verdict.attested) }
    }
  } catch (error) {
    trail.end(endingOfThrown(error))
    tellFailure(request.standing, error)
    markTold(error)
    throw error
  }
}

/**
 * Run an operation to its end: plan where the device goes, apply that, then write the registration and the operation's end in
 * one transaction. Idempotent: if somebody else wrote the registration meanwhile, it is run again from the start.
 */
export async function runOperation(
  attested: Attested,
  operation: Operation,
  beforeEnd: () => Promise<void>,
  dependencies: RegistrationDependencies,
): Promise<Ended> {
  const { store, clock, monotonic, onStep } = dependencies
  const { idScope } = attested.service
  const until = monotonic() + dependencies.patience
  const abandoned = abandonment(dependencies)
  for (;;) {
    const before = await store.registrations.get(idScope, attested.registrationId)
    if (isAnothers(before?.placement, operation) && !abandoned(before?.placement)) {
      await delay(waitForAnother)
      continue
    }
    const log = openPlacementLog(attested, operation, before, { store, clock, monotonic, until })
    try {
      const outcome = await planAndApply(attested, before, log, dependencies)
      const settled = 'failure' in outcome ? rollback(log.current(), before?.assignment) : outcome
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
      const orphan = settled.orphan && orphanOperation(idScope, attested.registrationId, settled.orphan, clock)
      await beforeEnd()
      await onStep?.('placed')
      await store.transact((write) => {
        write.registrations.put(idScope, registration, log.etag())
        write.operations.put(ended)
        if (orphan) write.operations.put(orphan)
        // Counted with what it counts, or not at all. [service-wire §14.2]
        if (ended.status === 'assigned') write.usage.add(idScope, oneRegistration(clock()))
      })
      await onStep?.('ended')
      await cutIfRevoked(registration, idScope, { trackingId: attested.trackingId, until }, dependencies)
      return { ended, orphan }
    } catch (error) {
      if (!(error instanceof Conflict)) throw error
    }
  }
}

type Outcome = Provisioned | { readonly failure: Failure }

const unexpected: Failure = { errorCode: 500001, errorMessage: 'An unexpected error occurred.' }

async function planAndApply(
  attested: Attested,
  before: Registration | undefined,
  log: PlacementLog,
  dependencies: RegistrationDependencies,
): Promise<Outcome> {
  const { allocation, attestation, limits, hubs, monotonic, onStep } = dependencies
  const { trail } = attested
  try {
    if (!before) await limits?.room(attested.service)
    const linkedHubs = await dependencies.store.linkedHubs.all(attested.service.idScope)
    await onStep?.('begun')
    const allocated = await plan(planInput(attested, before, linkedHubs, attestation), allocation)
    return await apply(allocated, attested, log, {
      linkedHubs,
      hubs: (link, until) => tracedHub(hubs(link, until), trail, monotonic),
      attestation,
      onStep,
    })
  } catch (error) {
    // What could not be written down says nothing about the device: it is refused, and asks again.
    if (error instanceof Conflict || Refusal.isOfStore(error)) throw error
    if (error instanceof Refusal) {
      trail.note({ step: 'failure', reason: error.reason, found: error.detail })
      return { failure: { errorCode: error.errorCode, errorMessage: error.publicMessage } }
    }
    dependencies.onFault(error, attested.trackingId)
    return { failure: unexpected }
  }
}

function isAnothers(placement: Placement | undefined, { id }: Operation): boolean {
  return placement !== undefined && placement.operationId !== id
}
