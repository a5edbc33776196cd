import { randomUUID } from 'node:crypto'
import type { Attested } from '../attestation/attestation.ts'
import type { Protocol, Trail } from '../model/decision.ts'
import { newEtag } from '../model/identifiers.ts'
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Operation, Registration } from '../model/registration.ts'
import { timestamp } from '../model/timestamp.ts'
import type { Reader } from '../store/store.ts'
import type { Operations } from './operations.ts'
import type { Stages } from './register.ts'
import { beginTrail, endingOfOperation } from './trail.ts'

/** What an operation has to remember of its device to go on after a restart; no secret is in it. */
export function toResume({ apiVersion, protocol, remoteAddress, payload, enrollment, evidence }: Attested): JsonObject {
  const group = enrollment.kind === 'group' ? enrollment.enrollmentGroupId : undefined
  return { apiVersion, protocol, remoteAddress, payload, group, evidence }
}

/** Take up the operations that were answered `assigning` and then left by a node that stopped. */
export async function resume(stages: Stages, running: Operations): Promise<void> {
  const { store, clock, onDecision } = stages
  for (const operation of await store.operations.unfinished()) {
    const { idScope, registrationId } = operation
    const from = remembered(operation.resume)
    const { protocol, remoteAddress } = from
    const trackingId = randomUUID()
    const trail = beginTrail(
      { trackingId, idScope, registrationId, protocol, remoteAddress, userAgent: '(resumed)' },
      clock,
      onDecision,
    )
    const attested = await reattest(operation, from, { trackingId, trail }, store)
    if (attested) {
      running.goOn(attested, { ...operation, resume: undefined })
      continue
    }
    const ended = withoutEnrollment(operation, clock())
    await store.transact((write) => write.operations.put(ended))
    trail.end(endingOfOperation(ended))
  }
}

interface Remembered {
  readonly apiVersion: string
  readonly protocol: Protocol
  readonly remoteAddress: string
  readonly payload?: Json
  readonly group?: string
  readonly evidence: JsonObject
}

function remembered(resume: Json | undefined): Remembered {
  const { apiVersion, protocol, remoteAddress, payload, group, evidence } = isJsonObject(resume) ? resume : {}
  return {
    apiVersion: String(apiVersion),
    protocol: protocol === 'Mqtt' || protocol === 'Amqp' ? protocol : 'Http',
    remoteAddress: String(remoteAddress),
    payload,
    group: typeof group === 'string' ? group : undefined,
    evidence: isJsonObject(evidence) ? evidence : {},
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

function withoutEnrollment(operation: Operation, now: number): Operation {
  const { errorCode, publicMessage } = new Refusal(
    'EnrollmentNotFound',
    'the enrollment went while the operation waited',
  )
  const registration: Registration = {
    registrationId: operation.registrationId,
    attestationType: 'symmetricKey',
    status: 'failed',
    failure: { errorCode, errorMessage: publicMessage },
    createdDateTimeUtc: timestamp(now),
    lastUpdatedDateTimeUtc: timestamp(now),
    etag: newEtag(),
  }
  return { ...operation, resume: undefined, status: 'failed', result: { registration } }
}
