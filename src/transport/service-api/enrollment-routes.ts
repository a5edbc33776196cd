import { readBulk, runBulk } from '../../enrollment/bulk.ts'
import { deleteEnrollment, getEnrollment, putEnrollment } from '../../enrollment/enrollments.ts'
import type { EnrollmentKind } from '../../enrollment/kind.ts'
import type { Queryable } from '../../enrollment/page.ts'
import { preconditionOf } from '../../wire/precondition.ts'
import { attestationJson } from '../../enrollment/read-attestation.ts'
import { enrollmentMembers } from '../../enrollment/query/queried-members.ts'
import { enrollmentJson, type Disclosure } from '../../enrollment/write-enrollment.ts'
import { enrollmentId, type Enrollment } from '../../model/enrollment.ts'
import { registrationKey } from '../../model/identifiers.ts'
import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts'
import { authorize, type Caller } from '../../access/authorization.ts'
import { answerQuery } from './query-call.ts'
import { warning, type ServiceCall, type ServiceRoute } from './route.ts'

/** What individual enrollments and groups are called where they differ on this endpoint. */
export interface EnrollmentResource<E extends Enrollment> {
  readonly kind: EnrollmentKind<E>
  readonly family: 'enrollments' | 'enrollmentGroups'
  readonly type: 'IndividualEnrollment' | 'EnrollmentGroup'
  readonly itemType: 'Enrollment' | 'EnrollmentGroup'
  /** What only GET shows beside the record. */
  readonly registrationState: (enrollment: E, call: ServiceCall) => Promise<JsonObject | undefined>
}

/** The six operations of individual enrollments, and of enrollment groups. [service-wire §3.1, §4] */
export function enrollmentRoutes<E extends Enrollment>(resource: EnrollmentResource<E>): ServiceRoute[] {
  const { kind, family, type, itemType } = resource
  const root = `/${family.toLowerCase()}`
  return [
    {
      method: 'PUT',
      path: `${root}/:id`,
      operationName: 'Upsert',
      type,
      action: `${family}/write`,
      run: async ({ request, instance, id, body, caller }) => {
        const change = await putEnrollment(kind, id, body, preconditionOf(request), instance)
        const json = enrollmentJson(change.after, instance, { ...disclosure(caller), keys: true })
        return { json, changes: [change], ...warning(change.warnings) }
      },
    },
    {
      method: 'GET',
      path: `${root}/:id`,
      operationName: 'Get',
      type,
      action: `${family}/read`,
      run: async (call) => {
        const enrollment = await getEnrollment(kind, call.id, call.instance)
        const state = await resource.registrationState(enrollment, call)
        return { json: enrollmentJson(enrollment, call.instance, disclosure(call.caller), state) }
      },
    },
    {
      method: 'DELETE',
      path: `${root}/:id`,
      operationName: 'Delete',
      type,
      action: `${family}/delete`,
      run: async ({ request, instance, id }) => ({
        changes: [await deleteEnrollment(kind, id, preconditionOf(request), instance)],
      }),
    },
    {
      method: 'POST',
      path: root,
      operationName: 'BulkOperation',
      type,
      action: `${family}/write`,
      cost: (body) => bulkCost(body, kind.bulkMember),
      run: async ({ instance, caller, body }) => {
        const bulk = readBulk(kind, body)
        if (bulk.mode === 'delete') authorize(caller, `${family}/delete`)
        const { json, done, changes, warnings } = await runBulk(kind, bulk, instance)
        return { json, operations: done, changes, ...warning(warnings) }
      },
    },
    {
      method: 'POST',
      path: `${root}/query`,
      operationName: 'Query',
      type,
      action: `${family}/read`,
      run: (call) => answerQuery(call, collection(resource, call), itemType),
    },
    {
      method: 'POST',
      path: `${root}/:id/attestationmechanism`,
      operationName: 'GetAttestationMechanism',
      type,
      action: 'attestationmechanism/details/action',
      run: async ({ instance, id }) => {
        const { attestation } = await getEnrollment(kind, id, instance)
        return { json: attestationJson(attestation, instance.kinds, true) }
      },
    },
  ]

  function disclosure({ may }: Caller): Disclosure {
    return { keys: false, webhookSecrets: may(`${family}/write`) }
  }

  function collection(of: EnrollmentResource<E>, { instance, caller }: ServiceCall): Queryable<E> {
    const records = of.kind.records(instance.store)
    const shown = disclosure(caller)
    return {
      name: family.toLowerCase(),
      members: enrollmentMembers(of.kind.idMember, instance),
      slice: (slice) => records.slice(instance.idScope, slice),
      keyOf: (enrollment) => registrationKey(enrollmentId(enrollment)),
      json: (enrollment) => enrollmentJson(enrollment, instance, shown),
    }
  }
}

function bulkCost(body: Json | undefined, member: string): number {
  const items = isJsonObject(body) ? body[member] : undefined
  return Array.isArray(items) ? Math.max(1, Math.min(items.length, 10)) : 1
}
