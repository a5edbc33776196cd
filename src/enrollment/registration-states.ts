import type { JsonObject } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Registration } from '../model/registration.ts'
import { untilUndisturbed } from './attempt.ts'
import type { EnrollingInstance } from './enrolling-instance.ts'
import { holds, type Precondition } from '../wire/precondition.ts'
import { shown } from '../base/printable.ts'

/** What is remembered of this device; refuses if it never registered. */
export async function getRegistration(id: string, { store, idScope }: EnrollingInstance): Promise<Registration> {
  const registration = await store.registrations.get(idScope, id)
  if (!registration) throw new Refusal('RegistrationAbsent', `${shown(id)} never registered, or was forgotten`)
  return registration
}

/** Forget the device's assignment: its next registration is an initial one. The hub's identity stays. [service-wire §5] */
export function deleteRegistration(id: string, precondition: Precondition, instance: EnrollingInstance): Promise<void> {
  return untilUndisturbed(async () => {
    const { registrationId, etag } = await getRegistration(id, instance)
    if (!holds(precondition, etag)) throw new Refusal('RegistrationEtagMismatch', `the etag is ${etag}`)
    await instance.store.transact((write) => write.registrations.delete(instance.idScope, registrationId, etag))
  })
}

/** A registration as operators see it. [service-wire §5] */
export function registrationJson(registration: Registration): JsonObject {
  const { assignment, failure } = registration
  const assigned = registration.status === 'assigned' ? assignment : undefined
  const failed = registration.status === 'failed' ? failure : undefined
  return {
    registrationId: registration.registrationId,
    createdDateTimeUtc: registration.createdDateTimeUtc,
    assignedHub: assigned?.assignedHub,
    deviceId: assigned?.deviceId,
    status: registration.status,
    substatus: assigned?.substatus,
    errorCode: failed?.errorCode,
    errorMessage: failed?.errorMessage,
    lastUpdatedDateTimeUtc: registration.lastUpdatedDateTimeUtc,
    etag: registration.etag,
    payload: registration.payload,
  }
}

/** The state of a device that has not registered yet, as an enrollment shows it. [service-wire §3.2] */
export function unassignedJson(registrationId: string): JsonObject {
  return { registrationId, status: 'unassigned' }
}
