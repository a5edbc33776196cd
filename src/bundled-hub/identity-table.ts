import type { Database, SqlRow } from '../sqlite/database.ts'
import type { Write } from '../sqlite/transactions.ts'
import { type Authentication, clientOf, type Identity } from './identity.ts'
import { Key } from './key.ts'
import { storedTwin, type Twin, twinParameters } from './twin.ts'

/** An identity together with its twin: one row. */
export interface Registered {
  readonly identity: Identity
  readonly twin: Twin
}

const identityColumns = `device, module, generation, revision, etag, status, status_reason, status_updated,
  authentication, primary_credential, secondary_credential, edge, scope, parent_scopes, managed_by,
  connection_updated, last_activity`
const twinColumns = `twin_version, model_id, tags, desired, desired_metadata, desired_version, reported, reported_metadata,
  reported_version`
const one = 'where hub = ? and device = ? and module = ?'
const selectIdentity = `select ${identityColumns} from identity ${one}`
const selectBoth = `select ${identityColumns}, ${twinColumns} from identity ${one}`
const selectDevices = `select ${identityColumns}, ${twinColumns} from identity
  where hub = ? and device > ? and module = '' order by device limit ?`
const selectModules = `select ${identityColumns}, ${twinColumns} from identity
  where hub = ? and (device, module) > (?, ?) and module > '' order by device, module limit ?`
const selectModulesOf = `select ${identityColumns} from identity where hub = ? and device = ? and module > '' order by module`
const insert = `insert into identity (hub, ${identityColumns}, ${twinColumns})
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`
const guard = `${one} and generation = ? and revision = ?`
const updateIdentity = `update identity set revision = revision + 1, etag = ?, status = ?, status_reason = ?,
  status_updated = ?, authentication = ?, primary_credential = ?, secondary_credential = ?, edge = ?, scope = ?,
  parent_scopes = ?, managed_by = ? ${guard}`
const updateTwin = `update identity set revision = revision + 1, twin_version = ?, model_id = ?, tags = ?, desired = ?,
  desired_metadata = ?, desired_version = ?, reported = ?, reported_metadata = ?, reported_version = ? ${guard}`
const touch = `update identity set connection_updated = ?, last_activity = ? ${one}`
const model = `update identity set model_id = ?, revision = revision + 1 ${one} and model_id <> ?`
const remove = `delete from identity ${guard}`
const removeModules = `delete from identity where hub = ? and device = ? and module > ''`
const count = `select count(*) as total, coalesce(sum(status = 'enabled'), 0) as enabled
  from identity where hub = ? and module = ''`

/** The identity, or undefined. Pass an empty module for the device itself. */
export function findIdentity(database: Database, hub: string, device: string, module = ''): Identity | undefined {
  const row = database.get(selectIdentity, [hub, device, module])
  return row && storedIdentity(row)
}

/** The identity and its twin, or undefined. */
export function findRegistered(database: Database, hub: string, device: string, module = ''): Registered | undefined {
  const row = database.get(selectBoth, [hub, device, module])
  return row && registered(row)
}

/** Devices in order of their names, beginning after the one named. */
export function listDevices(database: Database, hub: string, after: string, limit: number): Registered[] {
  return database.all(selectDevices, [hub, after, limit]).map(registered)
}

/** Modules of all devices in order of device and module, beginning after the pair named. */
export function listModules(
  database: Database,
  hub: string,
  after: readonly [device: string, module: string],
  limit: number,
): Registered[] {
  return database.all(selectModules, [hub, ...after, limit]).map(registered)
}

/** The modules of one device, in order. */
export function modulesOf(database: Database, hub: string, device: string): Identity[] {
  return database.all(selectModulesOf, [hub, device]).map(storedIdentity)
}

/** How many devices there are, and how many of them are enabled. */
export function countDevices(database: Database, hub: string): { total: number; enabled: number } {
  const row = database.get(count, [hub])
  return { total: Number(row?.['total']), enabled: Number(row?.['enabled']) }
}

/** Insert unless the name is taken; the caller expects one change. */
export function insertion(hub: string, { identity, twin }: Registered): Write {
  const { deviceId, moduleId, generation, revision, connectionUpdated, lastActivity } = identity
  return {
    sql: insert,
    parameters: [
      hub,
      deviceId,
      moduleId,
      generation,
      revision,
      ...changeable(identity),
      connectionUpdated,
      lastActivity,
      ...twinParameters(twin),
    ],
  }
}

/** Write the identity's members, if nobody wrote the row since `before` was read. */
export function identityUpdate(hub: string, before: Identity, after: Identity): Write {
  return { sql: updateIdentity, parameters: [...changeable(after), ...guarded(hub, before)], expect: 1 }
}

/** Write the twin, if nobody wrote the row since `before` was read. */
export function twinUpdate(hub: string, before: Identity, twin: Twin): Write {
  return { sql: updateTwin, parameters: [...twinParameters(twin), ...guarded(hub, before)], expect: 1 }
}

/** Note when the identity's connection last changed and when it was last heard of. */
export function activity(hub: string, { deviceId, moduleId }: Identity, now: number): Write {
  return { sql: touch, parameters: [now, now, hub, deviceId, moduleId] }
}

/** Note the model that the device says it follows. */
export function modelUpdate(hub: string, { deviceId, moduleId }: Identity, modelId: string): Write {
  return { sql: model, parameters: [modelId, hub, deviceId, moduleId, modelId] }
}

/** Delete the identity, a device with its modules, if nobody wrote the row since `before` was read. */
export function deletion(hub: string, before: Identity): Write[] {
  const itself = { sql: remove, parameters: guarded(hub, before), expect: 1 }
  if (before.moduleId !== '') return [itself]
  return [itself, { sql: removeModules, parameters: [hub, before.deviceId] }]
}

function guarded(hub: string, { deviceId, moduleId, generation, revision }: Identity) {
  return [hub, deviceId, moduleId, generation, revision]
}

function changeable(identity: Identity) {
  return [
    identity.etag,
    identity.status,
    identity.statusReason ?? null,
    identity.statusUpdated,
    ...credentials(identity.authentication),
    identity.edge ? 1 : 0,
    identity.scope ?? null,
    JSON.stringify(identity.parentScopes),
    identity.managedBy ?? null,
  ]
}

function credentials(authentication: Authentication) {
  switch (authentication.type) {
    case 'sas':
      return ['sas', authentication.primary.reveal(), authentication.secondary.reveal()]
    case 'selfSigned':
      return ['selfSigned', authentication.primary ?? null, authentication.secondary ?? null]
    case 'certificateAuthority':
    case 'none':
      return [authentication.type, null, null]
  }
}

function registered(row: SqlRow): Registered {
  return { identity: storedIdentity(row), twin: storedTwin(row) }
}

function storedIdentity(row: SqlRow): Identity {
  return {
    deviceId: String(row['device']),
    moduleId: String(row['module']),
    generation: String(row['generation']),
    revision: Number(row['revision']),
    etag: String(row['etag']),
    status: row['status'] === 'enabled' ? 'enabled' : 'disabled',
    statusReason: optional(row['status_reason']),
    statusUpdated: Number(row['status_updated']),
    authentication: storedAuthentication(row),
    edge: row['edge'] === 1,
    scope: optional(row['scope']),
    parentScopes: JSON.parse(String(row['parent_scopes'])) as string[],
    managedBy: optional(row['managed_by']),
    connectionUpdated: Number(row['connection_updated']),
    lastActivity: Number(row['last_activity']),
  }
}

function storedAuthentication(row: SqlRow): Authentication {
  const primary = optional(row['primary_credential'])
  const secondary = optional(row['secondary_credential'])
  if (row['authentication'] === 'selfSigned') return { type: 'selfSigned', primary, secondary }
  if (row['authentication'] === 'certificateAuthority') return { type: 'certificateAuthority' }
  if (row['authentication'] !== 'sas') return { type: 'none' }
  if (primary !== undefined && secondary !== undefined)
    return { type: 'sas', primary: Key.stored(primary), secondary: Key.stored(secondary) }
  throw new Error(`${clientOf({ deviceId: String(row['device']), moduleId: String(row['module']) })} has lost its keys`)
}

function optional(value: SqlRow[string] | undefined): string | undefined {
  return value === null || value === undefined ? undefined : String(value)
}
