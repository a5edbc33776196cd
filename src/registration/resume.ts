import { randomUUID } from 'node:crypto'
import type { Attested } from '../attestation/attestation.ts'
import type { Trail } from '../model/decision.ts'
import { newEtag } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { Operation, Registration } from '../model/registration.ts'
import { timestamp } from '../model/timestamp.ts'
import type { Reader } from '../store/store.ts'
import { afterFailure } from './after-failure.ts'
import { leftoverOf, leftoverOperation } from './leftovers.ts'
import type { Operations } from './operations.ts'
import type { Stages } from './register.ts'
import { remembered, type Remembered } from './resume-record.ts'
import { beginTrail, endingOfOperation } from './trail.ts'

/** Take up the operations that were answered `assigning` and then left by a node that stopped. */
export async function resume(stages: Stages, running: Operations): Promise<void> {
  const { store, onDecision } = stages
  for (const operation of await store.operations.unfinished()) {
    if (leftoverOf(operation)) {
      running.settle(operation)
      continue
    }
    const { idScope, registrationId } = operation
    const from = remembered(operation.resume)
    const { protocol, remoteAddress } = from
    const trackingId = randomUUID()
    const trail = beginTrail(
      { trackingId, idScope, registrationId, protocol, remoteAddress, userAgent: '(resumed)' },
      stages,
      onDecision,
    )
    const attested = await reattest(operation, from, { trackingId, trail }, store)
    if (attested) {
      running.goOn(attested, { ...operation, resume: undefined })
      continue
    }
    trail.end(endingOfOperation(await endWithoutEnrollment(operation, stages, running)))
  }
}

/** The proof was checked before the operation began; only the enrollment has to be there still, and enabled. */
async function reattest(
  { idScope, registrationId }: Operation,
  { apiVersion, protocol, remoteAddress, payload, group, evidence }: Remembered,
  { trackingId, trail }: { trackingId: string; trail: Trail },
  store: Reader,
): Promise<Attested | undefined> {
  const service = await store.services.byIdScope(idScope)
  const enrollment =
    group === undefined
      ? await store.enrollments.get(idScope, registrationId)
      : await store.enrollmentGroups.get(idScope, group)
  if (!service || enrollment?.provisioningStatus !== 'enabled') return undefined
  return {
    service,
    registrationId,
    apiVersion,
    protocol,
    payload,
    trackingId,
    remoteAddress,
    trail,
    enrollment,
    evidence,
  }
}

/** Nobody may be placed by it any more; what was begun is settled without a credential to give to a hub. */
async function endWithoutEnrollment(
  operation: Operation,
  { store, clock }: Stages,
  running: Operations,
): Promise<Operation> {
  const { idScope, registrationId } = operation
  const before = await store.registrations.get(idScope, registrationId)
  const { errorCode, publicMessage } = new Refusal(
    'EnrollmentNotFound',
    'the enrollment went while the operation waited',
  )
  const now = timestamp(clock())
  const settled = afterFailure(before?.placement, before?.assignment)
  const registration: Registration = {
    attestationType: 'symmetricKey',
    createdDateTimeUtc: now,
    registrationId,
    ...before,
    lastUpdatedDateTimeUtc: now,
    status: 'failed',
    assignment: settled.assignment,
    placement: undefined,
    failure: { errorCode, errorMessage: publicMessage },
    etag: newEtag(),
  }
  const ended: Operation = { ...operation, resume: undefined, status: 'failed', result: { registration } }
  const leftover = settled.leftover && leftoverOperation(idScope, registrationId, settled.leftover, clock)
  await store.transact((write) => {
    write.operations.put(ended)
    if (before) write.registrations.put(idScope, registration, before.etag)
    if (leftover) write.operations.put(leftover)
  })
  if (leftover) running.settle(leftover)
  return ended
}
