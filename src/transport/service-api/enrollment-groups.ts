import { group } from '../../enrollment/kind.ts'
import { enrollmentRoutes } from './enrollment-routes.ts'

/** `/enrollmentGroups`: what is permitted to every device that a credential vouches for. [service-wire §4] */
export const enrollmentGroups = enrollmentRoutes({
  kind: group,
  family: 'enrollmentGroups',
  type: 'EnrollmentGroup',
  itemType: 'EnrollmentGroup',
  registrationState: async () => undefined,
})
