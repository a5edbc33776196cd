import type { Database } from '../sqlite/database.ts'
import { HubRefusal } from './hub-refusal.ts'
import type { Identity } from './identity.ts'
import type { IdentityRequest } from './identity-request.ts'
import { findIdentity } from './identity-table.ts'

const form = /^ms-azure-iot-edge:\/\/(.+)-(\d+)$/

/** The scope that an edge device of this name and generation spans, to be named by the devices below it. */
export function edgeScope(deviceId: string, generation: string): string {
  return `ms-azure-iot-edge://${deviceId}-${generation}`
}

/**
 * Refuses with ArgumentInvalid if a scope that is asked for is not that of an edge device of the hub. Scopes that the identity has
 * already are let be: clients write back what they read, and the edge device may be gone since.
 */
export function checkScopes(
  database: Database,
  hub: string,
  { scope, parentScopes = [] }: Pick<IdentityRequest, 'scope' | 'parentScopes'>,
  before?: Identity,
): void {
  const asked = new Set(scope === undefined || scope === '' ? parentScopes : [scope, ...parentScopes])
  for (const one of asked) {
    if (one === before?.scope || before?.parentScopes.includes(one)) continue
    const [, deviceId = '', generation] = form.exec(one) ?? []
    const parent = findIdentity(database, hub, deviceId)
    if (parent?.edge !== true || parent.generation !== generation)
      throw new HubRefusal('ArgumentInvalid', `${JSON.stringify(one)} is not the scope of an edge device of this hub`)
  }
}
