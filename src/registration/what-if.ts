import type { Allocation } from '../allocation/allocate.ts'
import { attest } from '../attestation/attest.ts'
import type { Provers } from '../attestation/attestation-kind.ts'
import { diagnosed, type Decision, type Ending, type Trail, type Undiagnosed } from '../model/decision.ts'
import { enrollmentId } from '../model/enrollment.ts'
import { Refusal } from '../model/refusal.ts'
import type { Clocks } from '../base/time.ts'
import type { Reader } from '../store/store.ts'
import { admit, type DeviceRequest } from './admit.ts'
import { foreseen, type Allocated, type PlanInput, type Undecided } from './plan.ts'
import { readPlanInput } from './plan-input.ts'
import { beginTrail, endingOfThrown } from './trail.ts'

/** What foreseeing works with: nothing that could write, and no hub. */
export interface WhatIfDependencies extends Clocks {
  readonly store: Reader
  readonly attestation: Provers
  readonly allocation: Allocation
}

/**
 * What would become of this request if a device made it now: the same checks and the same plan, but nothing is written, no hub
 * and no webhook is asked. Only a fault rejects.
 */
export async function whatIf(request: DeviceRequest, dependencies: WhatIfDependencies): Promise<Decision> {
  const { promise, resolve } = Promise.withResolvers<Undiagnosed>()
  const trail = beginTrail(request, dependencies, resolve)
  trail.end(await ending(request, trail, dependencies))
  return diagnosed(await promise)
}

async function ending(request: DeviceRequest, trail: Trail, dependencies: WhatIfDependencies): Promise<Ending> {
  const { store, attestation, allocation, monotonic } = dependencies
  try {
    const presented = await admit(request, store, trail)
    const startedAt = monotonic()
    const verdict = await attest(presented, attestation, store)
    const { enrollment } = verdict.is === 'attested' ? verdict.attested : verdict
    trail.note({ step: 'attested', enrollment: enrollmentId(enrollment), milliseconds: monotonic() - startedAt })
    if (verdict.is === 'disabled') return { outcome: 'disabled' }
    if (verdict.is === 'challenged') {
      await foreseen(await readPlanInput({ ...presented, enrollment }, dependencies), allocation)
      return { outcome: 'challenged', detail: 'the TPM would be challenged, and go on if it is the one enrolled' }
    }
    return await endingOfAttested(await readPlanInput(verdict.attested, dependencies), allocation)
  } catch (error) {
    if (error instanceof Refusal) return endingOfThrown(error)
    throw error
  }
}

/** Who is attested is answered; where there is no hub for it, the operation fails. */
async function endingOfAttested(device: PlanInput, allocation: Allocation): Promise<Ending> {
  try {
    return endingOfPlan(await foreseen(device, allocation))
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    device.trail.note({ step: 'failure', reason: error.reason, found: error.detail })
    return { outcome: 'failed', reason: error.reason, detail: error.detail }
  }
}

function endingOfPlan(allocated: Allocated | Undecided): Ending {
  const assigned = (assignedHub: string, detail?: string): Ending => ({ outcome: 'assigned', assignedHub, detail })
  switch (allocated.is) {
    case 'undecided':
      return { outcome: 'assigning', detail: 'the custom policy would be asked for the hub; it was not asked now' }
    case 'finish':
      return assigned(allocated.hub.hostName, 'a placement that was begun would be finished')
    case 'stay':
    case 'refresh':
      return assigned(allocated.assignment.assignedHub, 'it would stay where it is')
    case 'first':
      return assigned(allocated.hub.hostName)
    case 'reset':
      return assigned(allocated.hub.hostName, 'it would stay where it is, with its data reset')
    case 'move': {
      const data = allocated.to.substatus === 'deviceDataMigrated' ? 'with its data' : 'with its data reset'
      return assigned(allocated.hub.hostName, `it would move there from ${allocated.from}, ${data}`)
    }
  }
}
