import { isJsonObject, type JsonObject } from '../../base/json.ts'
import { limitsOf, presets, type Limits } from '../../model/limits.ts'
import { Refusal } from '../../model/refusal.ts'
import type { Store } from '../../store/store.ts'
import { instancePath, serviceOf, type Call, type Route } from './route.ts'
import { shown } from '../../base/printable.ts'

const names = Object.keys(presets.azure) as (keyof Limits)[]
const largest = 1_000_000_000

/**
 * The limits of an instance. What is put replaces its own: `{}` for those of the deployment, `{"preset": "azure"}` for what Azure
 * publishes, and single limits by their names over either.
 */
export function limitRoutes(store: Store, usual: Limits): readonly Route[] {
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
        const limits = readLimits(call)
        const service = serviceOf(call)
        await store.transact((write) => write.services.replace({ ...service, limits }))
        return { json: shown(limits), change: { before: { ...service.limits }, after: { ...limits } } }
      },
    },
  ]
}

function readLimits({ body }: Call): Partial<Limits> {
  if (!isJsonObject(body)) throw new Refusal('BodyMalformed', 'the body must be an object')
  const { preset, ...own } = body
  if (preset !== undefined && preset !== 'azure' && preset !== 'generous') {
    throw new Refusal('MemberInvalid', 'preset must be azure or generous')
  }
  const limits: { -readonly [name in keyof Limits]?: number } = preset === undefined ? {} : { ...presets[preset] }
  for (const [name, value] of Object.entries(own)) {
    const limit = names.find((known) => known === name)
    if (!limit) throw new Refusal('MemberInvalid', `${shown(name, 100)} is no limit; there are ${names.join(', ')}`)
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > largest) {
      throw new Refusal('MemberInvalid', `${limit} must be a whole number from 1 to ${largest}`)
    }
    limits[limit] = value
  }
  return limits
}
