import type { Enrollment } from '../model/enrollment.ts'
import { Refusal } from '../model/refusal.ts'
import type { LinkedHub } from '../model/service.ts'
import type { AllocationPolicy } from './allocation.ts'

/** The one hub of the enrollment; without a list, the only linked one. [service-wire §9.1] */
export const staticConfiguration: AllocationPolicy = {
  name: 'static',
  automatic: false,
  external: false,
  choose: async ({ enrollment }, candidates) => {
    demandOne(enrollment, candidates)
    return { hub: candidates[0]!, repeatable: true }
  },
}

function demandOne({ iotHubs, iotHubHostName }: Enrollment, candidates: readonly LinkedHub[]): void {
  if (iotHubs?.length || iotHubHostName || candidates.length === 1) return
  const names = candidates.map(({ hostName }) => hostName).join(', ')
  throw new Refusal('StaticHubAmbiguous', `the enrollment names no hub and ${candidates.length} are linked: ${names}`)
}
