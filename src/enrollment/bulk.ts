import type { Enrollment } from '../model/enrollment.ts'
import { registrationKey } from '../model/identifiers.ts'
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import { bodyObject } from './body.ts'
import { deleteEnrollment, getEnrollment, putEnrollment } from './enrollments.ts'
import type { EnrollingInstance } from './enrolling-instance.ts'
import type { EnrollmentKind } from './kind.ts'
import { members, memberRefusal } from '../model/members.ts'
import { readIfMatch } from '../wire/precondition.ts'
import { shown } from '../base/printable.ts'

const modes = ['create', 'update', 'updateIfMatchETag', 'delete'] as const

type Mode = (typeof modes)[number]

/** What a bulk call asks for: 1 to 10 different records and what to do with each. */
export interface Bulk {
  readonly mode: Mode
  readonly items: readonly { readonly id: string; readonly record: JsonObject }[]
}

export interface BulkOutcome {
  /** `{errors, isSuccessful}`; Java needs both, and `errors` never null. [service-wire §0.7, §3.7] */
  readonly json: JsonObject
  /** How many items were done. */
  readonly done: number
  readonly changes: readonly { readonly before?: Enrollment | undefined; readonly after?: Enrollment }[]
  /** Each behind the ID of its item. */
  readonly warnings: readonly string[]
}

const mostItems = 10

/** Read a bulk call; refuses the whole of it if it is not one. */
export function readBulk(kind: Pick<EnrollmentKind, 'bulkMember' | 'idMember'>, body: Json | undefined): Bulk {
  const call = members(bodyObject(body))
  const mode = call.oneOf('mode', modes)
  if (mode === undefined) throw call.refusal('mode', 'is required')
  const records = call.list(kind.bulkMember) ?? []
  if (records.length < 1 || records.length > mostItems) {
    throw call.refusal(kind.bulkMember, `must hold 1 to ${mostItems} records`)
  }
  const items = records.map((record, index) => {
    const place = `${kind.bulkMember}[${index}]`
    if (!isJsonObject(record)) throw memberRefusal(place, 'must be an object')
    const id = members(record, place).text(kind.idMember)
    if (!id) throw memberRefusal(`${place}.${kind.idMember}`, 'is required')
    return { id, record }
  })
  if (new Set(items.map(({ id }) => registrationKey(id))).size < items.length) {
    throw call.refusal(kind.bulkMember, 'holds the same ID twice')
  }
  return { mode, items }
}

/** Do it, one after another, each on its own: a refused item leaves the others alone. [service-wire §3.7] */
export async function runBulk<E extends Enrollment>(
  kind: EnrollmentKind<E>,
  { mode, items }: Bulk,
  instance: EnrollingInstance,
): Promise<BulkOutcome> {
  const errors: JsonObject[] = []
  const changes: { before?: Enrollment | undefined; after?: Enrollment }[] = []
  const warnings: string[] = []
  for (const { id, record } of items) {
    try {
      const change = await runItem(kind, mode, id, record, instance)
      changes.push(change)
      for (const warning of change.warnings ?? []) warnings.push(`${shown(id)}: ${warning}`)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const { errorCode, publicMessage: errorStatus } = error
      errors.push({
        registrationId: id,
        ...(kind.kind === 'group' && { enrollmentGroupId: id }),
        errorCode,
        errorStatus,
      })
    }
  }
  return { json: { errors, isSuccessful: errors.length === 0 }, done: changes.length, changes, warnings }
}

async function runItem<E extends Enrollment>(
  kind: EnrollmentKind<E>,
  mode: Mode,
  id: string,
  record: JsonObject,
  instance: EnrollingInstance,
): Promise<{ before?: Enrollment | undefined; after?: Enrollment; warnings?: readonly string[] }> {
  switch (mode) {
    case 'create':
      return putEnrollment(kind, id, record, 'none', instance)
    case 'update':
      await getEnrollment(kind, id, instance)
      return putEnrollment(kind, id, record, 'exists', instance)
    case 'updateIfMatchETag': {
      const precondition = readIfMatch(members(record).text('etag'))
      if (precondition === 'none') throw memberRefusal('etag', 'is required by mode updateIfMatchETag')
      await getEnrollment(kind, id, instance)
      return putEnrollment(kind, id, record, precondition, instance)
    }
    case 'delete':
      return deleteEnrollment(kind, id, 'none', instance)
  }
}
