import { randomUUID } from 'node:crypto'
import { attestedBefore } from '../attestation/attest.ts'
import type { Attested } from '../attestation/attestation.ts'
import type { Trail } from '../model/decision.ts'
import { newEtag } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { Operation, Registration } from '../model/registration.ts'
import { timestamp } from '../base/time.ts'
import type { Reader } from '../store/store.ts'
import type { RegistrationDependencies } from './dependencies.ts'
import type { OperationRunner } from './operation-runner.ts'
import { orphanOf, orphanOperation } from './orphans.ts'
import { readResumeState, type ResumeState } from './resume-state.ts'
import { rollback } from './rollback.ts'
import { beginTrail, endingOfOperation } from './trail.ts'

/** Take up the operations that were answered `assigning` and then left by a node that stopped. */
export async function resume(dependencies: RegistrationDependencies, operations: OperationRunner): Promise<void> {
  const { store, onDecision } = dependencies
  for (const operation of await store.operations.unfinished()) {
    if (orphanOf(operation)) {
      operations.settle(operation)
      continue
    }
    const { idScope, registrationId } = operation
    const from = readResumeState(operation.resume)
    const { protocol, remoteAddress } = from
    const trackingId = randomUUID()
    const trail = beginTrail(
      { trackingId, idScope, registrationId, protocol, remoteAddress, userAgent: '(resumed)' },
      dependencies,
      onDecision,
    )
    const attested = await reattest(operation, from, { trackingId, trail }, store)
    if (attested) {
      operations.goOn(attested, { ...operation, resume: undefined })
      continue
    }
    trail.end(endingOfOperation(await endWithoutEnrollment(operation, dependencies, operations)))
  }
}

/** The proof was checked before the operation began; only the enrollment has to be there still, and enabled. */
async function reattest(
  { idScope, registrationId }: Operation,
  { apiVersion, protocol, remoteAddress, payload, group, evidence }: ResumeState,
  { trackingId, trail }: { trackingId: string; trail: Trail },
  store: Reader,
): Promise<Attested | undefined> {
  const service = await store.services.byIdScope(idScope)
  const enrollment =
    group === undefined
      ? await store.enrollments.get(idScope, registrationId)
      : await store.enrollmentGroups.get(idScope, group)
  if (!service || enrollment?.provisioningStatus !== 'enabled') return undefined
  const shown = { service, registrationId, apiVersion, protocol, payload, trackingId, remoteAddress, trail }
  return attestedBefore(shown, enrollment, evidence)
}

/** Nobody may be placed by it any more; what was begun is settled without a credential to give to a hub. */
async function endWithoutEnrollment(
  operation: Operation,
  { store, clock }: RegistrationDependencies,
  operations: OperationRunner,
): Promise<Operation> {
  const { idScope, registrationId } = operation
  const before = await store.registrations.get(idScope, registrationId)
  const { errorCode, publicMessage } = new Refusal(
    'EnrollmentNotFound',
    'the enrollment went while the operation waited',
  )
  const now = timestamp(clock())
  const settled = rollback(before?.placement, before?.assignment)
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
  const orphan = settled.orphan && orphanOperation(idScope, registrationId, settled.orphan, clock)
  await store.transact((write) => {
    write.operations.put(ended)
    if (before) write.registrations.put(idScope, registration, before.etag)
    if (orphan) write.operations.put(orphan)
  })
  if (orphan) operations.settle(orphan)
  return ended
}
