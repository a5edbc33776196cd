import { randomInt } from 'node:crypto'
import { UnmetExpectation } from '../sqlite/database.ts'
import type { Write } from '../sqlite/transactions.ts'
import { matches, type IfMatch } from './etag.ts'
import { checkScopes, edgeScope } from './device-scope.ts'
import type { Hub } from './hub.ts'
import { HubRefusal } from './hub-refusal.ts'
import { type Authentication, clientOf, type Identity } from './identity.ts'
import { type IdentityRequest, settle } from './identity-request.ts'
import { deletion, findIdentity, identityUpdate, insertion, modulesOf } from './identity-table.ts'
import { untilWritten } from './until-written.ts'
import { newTwin, patched, type TwinChange } from './twin.ts'

/** Which identity; an empty module is the device itself. */
export interface Address {
  readonly deviceId: string
  readonly moduleId: string
}

/** The modules that an edge device has by itself. [service-wire §13.4] */
const edgeModules = ['$edgeAgent', '$edgeHub']

/** Make an identity; refuses if there is one. Settles when it is durable. */
export async function createIdentity(
  hub: Hub,
  address: Address,
  request: IdentityRequest,
  change: TwinChange = {},
): Promise<Identity> {
  if (address.moduleId !== '' && !findIdentity(hub.database, hub.name, address.deviceId))
    throw notFound(address, 'device')
  checkScopes(hub.database, hub.name, request)
  const now = hub.clock()
  const identity = newIdentity(address, request, now)
  const twin = patched(newTwin(now), change, now)
  try {
    await hub.database.write([
      { ...insertion(hub.name, { identity, twin }), expect: 1 },
      ...(identity.edge ? edgeModuleInsertions(hub, address.deviceId, now) : []),
    ])
  } catch (error) {
    if (error instanceof UnmetExpectation) throw alreadyExists(address)
    throw error
  }
  return identity
}

/** Change an identity that is there; settles when it is durable, and closes the connection if its credentials changed. */
export async function updateIdentity(
  hub: Hub,
  address: Address,
  request: IdentityRequest,
  ifMatch: IfMatch,
): Promise<Identity> {
  const { before, after } = await untilWritten(hub.database, () => {
    const before = existing(hub, address)
    if (!matches(ifMatch, before.etag)) throw preconditionFailed()
    checkScopes(hub.database, hub.name, request, before)
    const after = updated(before, request, hub.clock())
    return {
      result: { before, after },
      writes: [identityUpdate(hub.name, before, after), ...edgeChange(hub, before, after)],
    }
  })
  if (after.status === 'disabled' || !sameAuthentication(before.authentication, after.authentication)) cut(hub, after)
  return after
}

/** Delete an identity, a device with its modules and waiting messages; settles when it is durable. */
export async function deleteIdentity(hub: Hub, address: Address, ifMatch: IfMatch): Promise<void> {
  await untilWritten(hub.database, () => {
    const before = existing(hub, address)
    if (!matches(ifMatch, before.etag)) throw preconditionFailed()
    return { result: undefined, writes: [...deletion(hub.name, before), ...belongings(hub, before)] }
  })
  cut(hub, address)
}

/** The identity; refuses with DeviceNotFound or ModuleNotFound. */
export function existing(hub: Hub, address: Address): Identity {
  const identity = findIdentity(hub.database, hub.name, address.deviceId, address.moduleId)
  if (identity) return identity
  throw notFound(address)
}

/** What to refuse with when an identity is missing. */
export function notFound({ deviceId, moduleId }: Address, what = moduleId === '' ? 'device' : 'module'): HubRefusal {
  return what === 'device'
    ? new HubRefusal('DeviceNotFound', `device ${deviceId} is not registered`)
    : new HubRefusal('ModuleNotFound', `module ${moduleId} of device ${deviceId} is not registered`)
}

/** The entity tag that the caller named is not the current one. */
export function preconditionFailed(): HubRefusal {
  return new HubRefusal('PreconditionFailed', 'the entity tag is not the current one')
}

function alreadyExists({ deviceId, moduleId }: Address): HubRefusal {
  return moduleId === ''
    ? new HubRefusal('DeviceAlreadyExists', `device ${deviceId} is already registered`)
    : new HubRefusal('ModuleAlreadyExistsOnDevice', `module ${moduleId} of device ${deviceId} is already registered`)
}

function newIdentity(address: Address, request: IdentityRequest, now: number): Identity {
  const generation = newGeneration(now)
  const edge = address.moduleId === '' && (request.edge ?? false)
  return {
    ...address,
    generation,
    revision: 1,
    etag: newEtag(),
    status: request.status ?? 'enabled',
    statusReason: request.statusReason ?? undefined,
    statusUpdated: 0,
    authentication: settle(request.authentication, undefined),
    edge,
    scope: request.scope || (edge ? edgeScope(address.deviceId, generation) : undefined),
    parentScopes: request.parentScopes ?? [],
    managedBy: request.managedBy,
    connectionUpdated: 0,
    lastActivity: 0,
  }
}

function updated(before: Identity, request: IdentityRequest, now: number): Identity {
  const status = request.status ?? before.status
  const edge = before.moduleId === '' && (request.edge ?? before.edge)
  return {
    ...before,
    etag: newEtag(),
    revision: before.revision + 1,
    status,
    statusReason: request.statusReason === undefined ? before.statusReason : (request.statusReason ?? undefined),
    statusUpdated: status === before.status ? before.statusUpdated : now,
    authentication: settle(request.authentication, before.authentication),
    edge,
    scope: (request.scope ?? before.scope) || (edge ? edgeScope(before.deviceId, before.generation) : undefined),
    parentScopes: request.parentScopes ?? before.parentScopes,
    managedBy: request.managedBy ?? before.managedBy,
  }
}

function edgeChange(hub: Hub, before: Identity, after: Identity): Write[] {
  if (before.edge === after.edge) return []
  if (after.edge) return edgeModuleInsertions(hub, after.deviceId, hub.clock())
  return modulesOf(hub.database, hub.name, after.deviceId)
    .filter(({ moduleId }) => edgeModules.includes(moduleId))
    .flatMap((module) => deletion(hub.name, module))
}

function edgeModuleInsertions(hub: Hub, deviceId: string, now: number): Write[] {
  return edgeModules.map((moduleId) => {
    const request: IdentityRequest = { authentication: { type: 'none' }, managedBy: 'IotEdge' }
    return insertion(hub.name, { identity: newIdentity({ deviceId, moduleId }, request, now), twin: newTwin(now) })
  })
}

function belongings({ name }: Hub, address: Address): Write[] {
  if (address.moduleId !== '')
    return [{ sql: 'delete from session where hub = ? and client = ?', parameters: [name, clientOf(address)] }]
  const { deviceId } = address
  return [
    { sql: 'delete from device_bound where hub = ? and device = ?', parameters: [name, deviceId] },
    // '0' is the character after '/': from the device's own session to the last of its modules'.
    {
      sql: 'delete from session where hub = ? and (client = ? or client > ? and client < ?)',
      parameters: [name, deviceId, `${deviceId}/`, `${deviceId}0`],
    },
  ]
}

function cut(hub: Hub, address: Address): void {
  if (address.moduleId === '') hub.connections.closeDevice(address.deviceId)
  else hub.connections.get(clientOf(address))?.close()
}

function sameAuthentication(a: Authentication, b: Authentication): boolean {
  if (a.type === 'sas' && b.type === 'sas')
    return a.primary.reveal() === b.primary.reveal() && a.secondary.reveal() === b.secondary.reveal()
  if (a.type === 'selfSigned' && b.type === 'selfSigned') return a.primary === b.primary && a.secondary === b.secondary
  return a.type === b.type
}

/** Ticks of 100 ns since the year 1, as the cloud service numbers generations, the last digits by chance. */
function newGeneration(now: number): string {
  return String(621_355_968_000_000_000n + BigInt(Math.trunc(now)) * 10_000n + BigInt(randomInt(10_000)))
}

function newEtag(): string {
  return Buffer.from(String(randomInt(100_000_000, 1_000_000_000))).toString('base64')
}
