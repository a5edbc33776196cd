import type { Queryable } from '../../enrollment/page.ts'
import { registrationMembers } from '../../enrollment/query/queried-members.ts'
import { preconditionOf } from '../../wire/precondition.ts'
import { deleteRegistration, getRegistration, registrationJson } from '../../enrollment/registration-states.ts'
import { registrationKey } from '../../model/identifiers.ts'
import { Refusal } from '../../model/refusal.ts'
import type { Registration } from '../../model/registration.ts'
import { answerQuery } from './query-call.ts'
import type { ServiceCall, ServiceRoute } from './route.ts'
import { shown } from '../../base/printable.ts'

/** `/registrations`: what is remembered of devices that registered. Only devices write it. [service-wire §5] */
export const registrations: ServiceRoute[] = [
  {
    method: 'GET',
    path: '/registrations/:id',
    operationName: 'Get',
    type: 'Registration',
    action: 'registrationStates/read',
    run: async ({ id, instance }) => ({ json: registrationJson(await getRegistration(id, instance)) }),
  },
  {
    method: 'DELETE',
    path: '/registrations/:id',
    operationName: 'Delete',
    type: 'Registration',
    action: 'registrationStates/delete',
    run: async ({ id, request, instance }) => {
      await deleteRegistration(id, preconditionOf(request), instance)
      return {}
    },
  },
  {
    method: 'POST',
    path: '/registrations/:id/query',
    operationName: 'Query',
    type: 'Registration',
    action: 'registrationStates/read',
    run: async (call) => answerQuery(call, await ofGroup(call), 'DeviceRegistration'),
  },
]

/** The devices that came through this group; they outlive it, so that a deleted group can still be asked. */
async function ofGroup({ id, instance: { store, idScope } }: ServiceCall): Promise<Queryable<Registration>> {
  const [first] = await store.registrations.sliceOfGroup(idScope, id, { after: '', limit: 1 })
  if (!first && !(await store.enrollmentGroups.get(idScope, id))) {
    throw new Refusal('EnrollmentGroupAbsent', `there is no group ${shown(id)}, and no device that came through it`)
  }
  return {
    name: `registrations/${registrationKey(id)}`,
    members: registrationMembers,
    slice: (slice) => store.registrations.sliceOfGroup(idScope, id, slice),
    keyOf: ({ registrationId }) => registrationKey(registrationId),
    json: registrationJson,
  }
}
