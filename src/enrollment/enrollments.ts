import { randomBytes } from 'node:crypto'
import type { Enrollment } from '../model/enrollment.ts'
import { newEtag } from '../model/identifiers.ts'
import type { Json } from '../base/json.ts'
import { Refusal, type RefusalReason } from '../model/refusal.ts'
import type { Registration } from '../model/registration.ts'
import { Secret } from '../base/secret.ts'
import { timestamp } from '../base/time.ts'
import { untilUndisturbed } from './attempt.ts'
import { bodyObject } from './body.ts'
import type { EnrollingInstance } from './enrolling-instance.ts'
import type { EnrollmentKind } from './kind.ts'
import { holds, type Precondition } from '../wire/precondition.ts'
import { checkQuota } from './quota.ts'
import { checkReferences } from './references.ts'
import { shown } from '../base/printable.ts'

/** The enrollment with this ID; refuses if there is none. */
export async function getEnrollment<E extends Enrollment>(
  kind: EnrollmentKind<E>,
  id: string,
  { store, idScope }: EnrollingInstance,
): Promise<E> {
  const enrollment = await kind.records(store).get(idScope, id)
  if (!enrollment) throw new Refusal(kind.absent, `there is no ${shown(id)}`)
  return enrollment
}

/**
 * Create the enrollment (no precondition) or replace it (with one). What clients are not shown, they cannot write back:
 * left-out keys and certificates shown as `info` are kept. Durable when it settles; `warnings` are for whoever asked. [service-wire §3.4, §0.5]
 */
export function putEnrollment<E extends Enrollment>(
  kind: EnrollmentKind<E>,
  id: string,
  body: Json | undefined,
  precondition: Precondition,
  instance: EnrollingInstance,
): Promise<{ before: E | undefined; after: Enrollment; warnings: readonly string[] }> {
  return untilUndisturbed(async () => {
    const { store, idScope, clock, rules, kinds, policies } = instance
    const json = bodyObject(body)
    const stored = await kind.records(store).get(idScope, id)
    if (stored && precondition === 'none') throw new Refusal(kind.exists, `${shown(id)} exists and If-Match is absent`)
    demand(precondition, stored, kind.etagMismatch)
    const draft = kind.read(json, id, { stored, newKey, rules, kinds, policies })
    const now = timestamp(clock())
    const enrollment: Enrollment = {
      ...draft,
      etag: newEtag(),
      createdDateTimeUtc: stored?.createdDateTimeUtc ?? now,
      lastUpdatedDateTimeUtc: now,
    }
    await checkReferences(kind, enrollment, stored, instance)
    await checkQuota(enrollment, stored, instance)
    await store.transact((write) =>
      stored
        ? write.enrollments.replace(idScope, enrollment, stored.etag)
        : write.enrollments.create(idScope, enrollment),
    )
    const { attestation } = enrollment
    const warnings = (await kinds[attestation.type]?.enrollment.warnings?.(attestation, instance)) ?? []
    return { before: stored, after: enrollment, warnings }
  })
}

/**
 * Delete the enrollment, and with an individual one what is remembered of its device's registration; the hub's identity
 * stays. A group's registrations stay too. [service-wire §3.5, §4]
 */
export function deleteEnrollment<E extends Enrollment>(
  kind: EnrollmentKind<E>,
  id: string,
  precondition: Precondition,
  instance: EnrollingInstance,
): Promise<{ before: E }> {
  return untilUndisturbed(async () => {
    const { store, idScope } = instance
    const stored = await getEnrollment(kind, id, instance)
    demand(precondition, stored, kind.etagMismatch)
    const registration = await ownRegistration(stored, instance)
    await store.transact((write) => {
      write.enrollments.delete(idScope, stored)
      if (registration) write.registrations.delete(idScope, registration.registrationId, registration.etag)
    })
    return { before: stored }
  })
}

function demand(precondition: Precondition, stored: Enrollment | undefined, reason: RefusalReason): void {
  if (holds(precondition, stored?.etag)) return
  throw new Refusal(reason, stored ? `the etag is ${stored.etag}` : 'there is no such record')
}

async function ownRegistration(
  enrollment: Enrollment,
  { store, idScope }: EnrollingInstance,
): Promise<Registration | undefined> {
  if (enrollment.kind === 'group') return undefined
  const registration = await store.registrations.get(idScope, enrollment.registrationId)
  // The device may have come through a group before it got an enrollment of its own: that record is the group's.
  return registration?.enrollmentGroupId === undefined ? registration : undefined
}

/** 64 bytes, as the service makes them. [service-wire §16.16] */
function newKey(): Secret {
  return new Secret(randomBytes(64))
}
