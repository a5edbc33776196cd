import { matches, type IfMatch } from './etag.ts'
import type { Hub } from './hub.ts'
import { HubRefusal } from './hub-refusal.ts'
import { clientOf } from './identity.ts'
import { findRegistered, type Registered, twinUpdate } from './identity-table.ts'
import { difference } from './merge-patch.ts'
import { type Address, notFound, preconditionFailed } from './registry.ts'
import { patched, replaced, type Twin, type TwinChange, twinEtag } from './twin.ts'
import { untilWritten } from './until-written.ts'

/** Merge into a twin; settles when it is durable, after telling the device of new desired properties. */
export async function patchTwin(hub: Hub, address: Address, change: TwinChange, ifMatch: IfMatch): Promise<Registered> {
  const { before, after } = await changeTwin(hub, address, ifMatch, (twin) => patched(twin, change, hub.clock()))
  if (after.desired.version !== before.twin.desired.version) {
    const patch = change.desired ?? difference(before.twin.desired.properties, after.desired.properties)
    hub.connections.get(clientOf(address))?.desiredChanged(patch, after.desired.version)
  }
  return { identity: before.identity, twin: after }
}

/** Replace tags and desired properties; settles as `patchTwin` does. */
export async function replaceTwin(
  hub: Hub,
  address: Address,
  change: TwinChange,
  ifMatch: IfMatch,
): Promise<Registered> {
  const { before, after } = await changeTwin(hub, address, ifMatch, (twin) => replaced(twin, change, hub.clock()))
  if (after.desired.version !== before.twin.desired.version) {
    const patch = difference(before.twin.desired.properties, after.desired.properties)
    hub.connections.get(clientOf(address))?.desiredChanged(patch, after.desired.version)
  }
  return { identity: before.identity, twin: after }
}

/** Merge what a device reports; gives the new version once it is durable. `expected` is the version it must have now. */
export async function report(
  hub: Hub,
  address: Address,
  reported: TwinChange['reported'],
  expected?: number,
): Promise<number> {
  const { after } = await changeTwin(hub, address, '*', (twin) => {
    if (expected !== undefined && expected !== twin.reported.version) {
      throw new HubRefusal('PreconditionFailed', `the reported version is ${twin.reported.version}`)
    }
    return patched(twin, { reported }, hub.clock())
  })
  return after.reported.version
}

/** The identity and its twin; refuses with DeviceNotFound or ModuleNotFound. */
export function existingTwin(hub: Hub, { deviceId, moduleId }: Address): Registered {
  const found = findRegistered(hub.database, hub.name, deviceId, moduleId)
  if (found) return found
  throw notFound({ deviceId, moduleId })
}

function changeTwin(
  hub: Hub,
  address: Address,
  ifMatch: IfMatch,
  change: (twin: Twin) => Twin,
): Promise<{ before: Registered; after: Twin }> {
  return untilWritten(hub.database, () => {
    const before = existingTwin(hub, address)
    if (!matches(ifMatch, twinEtag(before.twin))) throw preconditionFailed()
    const after = change(before.twin)
    const changed = after.version !== before.twin.version || after.reported.version !== before.twin.reported.version
    return { result: { before, after }, writes: changed ? [twinUpdate(hub.name, before.identity, after)] : [] }
  })
}
