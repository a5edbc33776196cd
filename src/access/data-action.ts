import type { SharedAccessRight } from '../model/service.ts'

/** What a caller may be allowed to do, by the names that Azure's roles use. [service-wire §1.5] */
export type DataAction =
  | `${'enrollments' | 'enrollmentGroups'}/${'read' | 'write' | 'delete'}`
  | 'attestationmechanism/details/action'
  | 'registrationStates/read'
  | 'registrationStates/delete'

/** The right of a shared access policy that allows it. [service-wire §1.4] */
export const rightFor: Readonly<Record<DataAction, SharedAccessRight>> = {
  'enrollments/read': 'EnrollmentRead',
  'enrollments/write': 'EnrollmentWrite',
  'enrollments/delete': 'EnrollmentWrite',
  'enrollmentGroups/read': 'EnrollmentRead',
  'enrollmentGroups/write': 'EnrollmentWrite',
  'enrollmentGroups/delete': 'EnrollmentWrite',
  'attestationmechanism/details/action': 'EnrollmentWrite',
  'registrationStates/read': 'RegistrationStatusRead',
  'registrationStates/delete': 'RegistrationStatusWrite',
}

const contained: Readonly<Partial<Record<SharedAccessRight, readonly SharedAccessRight[]>>> = {
  EnrollmentWrite: ['EnrollmentRead', 'RegistrationStatusRead', 'RegistrationStatusWrite'],
  RegistrationStatusWrite: ['RegistrationStatusRead'],
}

/** True if these rights, which contain others, include the needed one. [service-wire §1.4] */
export function includesRight(rights: readonly SharedAccessRight[], needed: SharedAccessRight): boolean {
  return rights.some((right) => right === needed || contained[right]?.includes(needed))
}
