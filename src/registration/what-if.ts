import { allocate, foresee, type Allocation } from '../allocation/allocate.ts'
import { attest, type AttestationKinds } from '../attestation/attest.ts'
import type { Attested } from '../attestation/attestation.ts'
import type { Decision, Ending, Trail } from '../model/decision.ts'
import { enrollmentId } from '../model/enrollment.ts'
import { Refusal } from '../model/refusal.ts'
import type { Clocks } from '../model/timestamp.ts'
import type { Reader } from '../store/store.ts'
import { admit, type DeviceRequest } from './admit.ts'
import { foreseePlace, stays } from './place.ts'
import { beginTrail, endingOfThrown } from './trail.ts'

/** What foreseeing works with: nothing that could write, and no hub. */
export interface WhatIfStages extends Clocks {
  readonly store: Reader
  readonly attestation: AttestationKinds
  readonly allocation: Allocation
}

/**
 * What would become of this request if a device made it now: the same checks and the same choice, but nothing is written, no
 * hub and no webhook is asked. Only a fault rejects.
 */
export async function whatIf(request: DeviceRequest, stages: WhatIfStages): Promise<Decision> {
  const { promise, resolve } = Promise.withResolvers<Decision>()
  const trail = beginTrail(request, stages, resolve)
  trail.end(await ending(request, trail, stages))
  return promise
}

async function ending(request: DeviceRequest, trail: Trail, stages: WhatIfStages): Promise<Ending> {
  const { store, attestation, monotonic } = stages
  try {
    const presented = await admit(request, store, trail)
    const startedAt = monotonic()
    const verdict = await attest(presented, attestation, store)
    const { enrollment } = verdict.is === 'attested' ? verdict.attested : verdict
    trail.note({ step: 'attested', enrollment: enrollmentId(enrollment), milliseconds: monotonic() - startedAt })
    if (verdict.is === 'disabled') return { outcome: 'disabled' }
    if (verdict.is === 'challenged') {
      await foreseePlace({ ...presented, enrollment }, stages)
      return { outcome: 'challenged', detail: 'the TPM would be challenged, and go on if it is the one enrolled' }
    }
    return await placed(verdict.attested, stages)
  } catch (error) {
    if (error instanceof Refusal) return endingOfThrown(error)
    throw error
  }
}

/** Who is attested is answered; where there is no hub for it, the operation fails. */
async function placed(attested: Attested, stages: WhatIfStages): Promise<Ending> {
  const { store, allocation } = stages
  const { service, registrationId, enrollment, trail } = attested
  const linkedHubs = await store.linkedHubs.all(service.idScope)
  const registration = await store.registrations.get(service.idScope, registrationId)
  const present = registration?.assignment
  if (present && stays(attested)) {
    return { outcome: 'assigned', assignedHub: present.assignedHub, detail: 'it would stay where it is' }
  }
  try {
    if (enrollment.allocationPolicy === 'custom') {
      foresee({ service, enrollment }, linkedHubs, allocation)
      return { outcome: 'assigning', detail: 'the custom policy would be asked for the hub; it was not asked now' }
    }
    // Only a custom policy looks at the proof.
    const { hub } = await allocate({ ...attested, registration, proof: {} }, linkedHubs, allocation)
    return { outcome: 'assigned', assignedHub: hub.hostName }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    trail.note({ step: 'failure', reason: error.reason, found: error.detail })
    return { outcome: 'failed', reason: error.reason, detail: error.detail }
  }
}
