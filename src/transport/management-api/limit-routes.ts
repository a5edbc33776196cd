import type { JsonObject } from '../../base/json.ts'
import { limitInstance } from '../../instances/instances.ts'
import { readLimits } from '../../instances/read-limits.ts'
import { limitsOf, type Limits } from '../../model/limits.ts'
import type { Store } from '../../store/store.ts'
import { instancePath, placeOf, serviceOf, type ManagementRoute } from './route.ts'

/**
 * The limits of an instance. What is put replaces its own: `{}` for those of the deployment, `{"preset": "azure"}` for what Azure
 * publishes, and single limits by their names over either.
 */
export function limitRoutes(store: Store, usual: Limits): readonly ManagementRoute[] {
  const path = `${instancePath}/limits`
  const shown = (limits: Partial<Limits> | undefined): JsonObject => ({
    limits: { ...limitsOf({ limits }, usual) },
    own: { ...limits },
  })
  return [
    {
      method: 'GET',
      path,
      operationName: 'GetLimits',
      permission: 'read',
      run: async (call) => ({ json: shown(serviceOf(call).limits) }),
    },
    {
      method: 'PUT',
      path,
      operationName: 'PutLimits',
      permission: 'write',
      everywhere: true,
      run: async (call) => {
        const limits = readLimits(call.body)
        const { before } = await limitInstance(placeOf(call), limits, store)
        return { json: shown(limits), change: { before: { ...before.limits }, after: { ...limits } } }
      },
    },
  ]
}
