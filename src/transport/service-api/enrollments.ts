import { individual } from '../../enrollment/kind.ts'
import { registrationJson, unassignedJson } from '../../enrollment/registration-states.ts'
import { enrollmentRoutes } from './enrollment-routes.ts'

/** `/enrollments`: what is permitted to one device each. [service-wire §3] */
export const enrollments = enrollmentRoutes({
  kind: individual,
  family: 'enrollments',
  type: 'IndividualEnrollment',
  itemType: 'Enrollment',
  registrationState: async ({ registrationId }, { instance: { store, idScope } }) => {
    const registration = await store.registrations.get(idScope, registrationId)
    return registration ? registrationJson(registration) : unassignedJson(registrationId)
  },
})
