import { Refusal } from '../model/refusal.ts'
import type { AllocationPolicy } from './allocation.ts'

/** The one hub of the enrollment; without a list, the only linked one. [service-wire §9.1] */
export const staticConfiguration: AllocationPolicy = {
  name: 'static',
  automatic: false,
  choose: async ({ enrollment }, candidates) => {
    const named = enrollment.iotHubs?.length || enrollment.iotHubHostName
    if (!named && candidates.length > 1) {
      throw new Refusal(
        'StaticHubAmbiguous',
        `the enrollment names no hub and ${candidates.length} are linked: ${candidates.map(({ hostName }) => hostName).join(', ')}`,
      )
    }
    return { hub: candidates[0]!, repeatable: true }
  },
}
