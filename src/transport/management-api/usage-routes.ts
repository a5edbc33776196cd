import { Refusal } from '../../model/refusal.ts'
import type { Clock } from '../../base/time.ts'
import { dayOf } from '../../model/usage.ts'
import type { Reader } from '../../store/store.ts'
import { instancePath, serviceOf, type ManagementRoute } from './route.ts'

const month = 30 * 24 * 60 * 60 * 1000

/** Billable operations of an instance by day and kind, with their total: `?from=2031-03-01&to=2031-03-31`, else the last 30 days. */
export function usageRoutes(store: Reader, clock: Clock): readonly ManagementRoute[] {
  return [
    {
      method: 'GET',
      path: `${instancePath}/usage`,
      operationName: 'GetUsage',
      permission: 'read',
      run: async (call) => {
        const { query } = call.request
        const from = readDay('from', query.get('from') ?? dayOf(clock() - month))
        const to = readDay('to', query.get('to') ?? dayOf(clock()))
        const counted = await store.usage.between(serviceOf(call).idScope, from, to)
        const total = counted.reduce((sum, { operations }) => sum + operations, 0)
        return { json: { from, to, total, value: counted.map((usage) => ({ ...usage })) } }
      },
    },
  ]
}

function readDay(name: string, text: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return text
  throw new Refusal('MemberInvalid', `${name} must be a day, such as 2031-03-02`)
}
