import { members } from '../../model/members.ts'
import type { LinkHealth } from '../../hub/hub-guard.ts'
import { Refusal } from '../../model/refusal.ts'
import { timestamp } from '../../base/time.ts'
import { drifts, reconcile, type ReconcileParts } from '../../registration/reconcile.ts'
import type { Registrar } from '../../registration/registrar.ts'
import { instancePath, objectIn, serviceOf, type ManagementRoute } from './route.ts'
import { shown } from '../../base/printable.ts'

export interface HubRouteParts extends ReconcileParts {
  readonly registrar: Pick<Registrar, 'deprovision'>
  readonly health: () => readonly LinkHealth[]
}

/** The linked hubs and what stands in them: link health, drift and its repair, taking a device out of service. */
export function hubRoutes(parts: HubRouteParts): readonly ManagementRoute[] {
  const { store, registrar, health } = parts
  return [
    {
      method: 'GET',
      path: `${instancePath}/links`,
      operationName: 'ListLinks',
      permission: 'read',
      run: async (call) => {
        const linked = await store.linkedHubs.all(serviceOf(call).idScope)
        const known = new Map(health().map((link) => [link.hostName.toLowerCase(), link]))
        const value = linked.map(({ hostName }) => {
          const { state = 'untried', since, detail, latency } = known.get(hostName.toLowerCase()) ?? {}
          return { hostName, state, since: since === undefined ? undefined : timestamp(since), detail, latency }
        })
        return { json: { value } }
      },
    },
    {
      method: 'POST',
      path: `${instancePath}/links/:hub/reconcile`,
      operationName: 'ReconcileHub',
      permission: 'write',
      run: async (call) => {
        const { idScope } = serviceOf(call)
        const name = call.parameters['hub']?.toLowerCase()
        const link = (await store.linkedHubs.all(idScope)).find(({ hostName }) => hostName.toLowerCase() === name)
        if (!link) throw new Refusal('ResourceAbsent', `no hub ${shown(call.parameters['hub'] ?? '')} is linked`)
        const body = members(objectIn(call))
        const asked = body.list('repair') ?? []
        const repairs = drifts.filter((kind) => asked.includes(kind))
        if (repairs.length < asked.length) throw body.refusal('repair', `must be some of ${drifts.join(', ')}`)
        const { checked, drifts: found } = await reconcile(idScope, link, new Set(repairs), parts)
        const json = { hub: link.hostName, checked, drifts: found.map((drift) => ({ ...drift })) }
        return { json, ...(repairs.length > 0 && { change: { after: json } }) }
      },
    },
    {
      method: 'POST',
      path: `${instancePath}/registrations/:registration/deprovision`,
      operationName: 'Deprovision',
      permission: 'write',
      run: async (call) => {
        const body = members(objectIn(call))
        const enrollment = body.oneOf('enrollment', ['keep', 'disable', 'delete']) ?? 'disable'
        const identity = body.oneOf('identity', ['keep', 'disable', 'remove']) ?? 'remove'
        const id = call.parameters['registration'] ?? ''
        const json = { ...(await registrar.deprovision(serviceOf(call).idScope, id, { enrollment, identity })) }
        return { json, change: { after: json } }
      },
    },
  ]
}
