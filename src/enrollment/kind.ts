import type { Enrollment, EnrollmentGroup, IndividualEnrollment } from '../model/enrollment.ts'
import type { JsonObject } from '../base/json.ts'
import type { IdScope } from '../model/identifiers.ts'
import type { RefusalReason } from '../model/refusal.ts'
import type { Reader } from '../store/store.ts'
import { readGroup, readIndividual, type EnrollmentDraft, type ReadingContext } from './read-enrollment.ts'

/** Where individual enrollments and enrollment groups differ. */
export interface EnrollmentKind<E extends Enrollment = Enrollment> {
  readonly kind: E['kind']
  readonly idMember: 'registrationId' | 'enrollmentGroupId'
  /** The member of a bulk request that holds the records. */
  readonly bulkMember: 'enrollments' | 'enrollmentGroups'
  readonly absent: RefusalReason
  readonly exists: RefusalReason
  readonly etagMismatch: RefusalReason
  readonly records: (store: Reader) => Records<E>
  readonly read: (body: JsonObject, id: string, context: ReadingContext<E>) => EnrollmentDraft
}

type Records<E> = {
  readonly get: (idScope: IdScope, id: string) => Promise<E | undefined>
  readonly count: (idScope: IdScope) => Promise<number>
  readonly slice: (idScope: IdScope, slice: { after: string; limit: number }) => Promise<readonly E[]>
  readonly withCertificate: (idScope: IdScope, thumbprint: string) => Promise<readonly E[]>
}

export const individual: EnrollmentKind<IndividualEnrollment> = {
  kind: 'individual',
  idMember: 'registrationId',
  bulkMember: 'enrollments',
  absent: 'EnrollmentAbsent',
  exists: 'EnrollmentExists',
  etagMismatch: 'EnrollmentEtagMismatch',
  records: (store) => store.enrollments,
  read: readIndividual,
}

export const group: EnrollmentKind<EnrollmentGroup> = {
  kind: 'group',
  idMember: 'enrollmentGroupId',
  bulkMember: 'enrollmentGroups',
  absent: 'EnrollmentGroupAbsent',
  exists: 'EnrollmentGroupExists',
  etagMismatch: 'EnrollmentGroupEtagMismatch',
  records: (store) => store.enrollmentGroups,
  read: readGroup,
}
