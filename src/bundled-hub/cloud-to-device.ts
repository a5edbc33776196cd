import { type Database, type SqlRow, UnmetExpectation } from '../sqlite/database.ts'
import type { Write } from '../sqlite/transactions.ts'
import { feedback } from './feedback.ts'
import type { Hub } from './hub.ts'
import { HubRefusal } from './hub-refusal.ts'
import { existing } from './registry.ts'

/** A cloud-to-device message that waits. */
export interface CloudToDeviceMessage {
  readonly sequence: number
  /** The property bag of its topic. */
  readonly properties: string
  readonly body: Buffer
  /** How often it was delivered before. */
  readonly deliveries: number
}

export interface NewCloudToDeviceMessage {
  readonly properties: string
  readonly body: Buffer
  /** Milliseconds since 1970. */
  readonly expires: number
}

/** [service-wire §13.2]; `properties` in bytes, so that a topic can carry them beside the device's name. */
export const cloudToDeviceLimits = {
  bytes: 65_536,
  properties: 65_000,
  pending: 50,
  deliveries: 10,
  lifetime: 3_600_000,
} as const

const devices = 'select distinct device from device_bound where hub = ?'
const count = 'select count(*) as pending from device_bound where hub = ? and device = ? and expires > ?'
const insert = `insert into device_bound (hub, device, properties, body, expires, deliveries)
  select ?1, ?2, ?3, ?4, ?5, 0 where exists (select 1 from identity where hub = ?1 and device = ?2 and module = '')
  and (select count(*) from device_bound where hub = ?1 and device = ?2) < ?6`
const select = `select sequence, properties, body, deliveries from device_bound
  where hub = ? and device = ? and sequence > ? and expires > ? and deliveries < ? order by sequence limit ?`
const deliver = 'update device_bound set deliveries = deliveries + 1 where sequence = ?'
const remove = 'delete from device_bound where sequence = ?'
const spent = `select sequence, properties, body, deliveries from device_bound
  where hub = ? and device = ? and (expires <= ? or deliveries >= ?)`
const purge = 'delete from device_bound where hub = ? and device = ?'

const withSpent = `select distinct device from device_bound
  where hub = ? and (expires <= ? or deliveries >= ?) order by device limit 100`

/** Drops what expired or was delivered too often, of some devices at a time. */
export async function sweepSpent(hub: Hub): Promise<void> {
  const rows = hub.database.all(withSpent, [hub.name, hub.clock(), cloudToDeviceLimits.deliveries])
  const writes = rows.flatMap((row) => forgetSpent(hub, String(row['device'])))
  if (writes.length > 0) await hub.database.write(writes)
}

/** The devices of a hub for which messages wait. */
export function messagedDevices(database: Database, hub: string): Set<string> {
  return new Set(database.all(devices, [hub]).map(({ device }) => String(device)))
}

/** How many messages wait for the device. */
export function pendingMessages({ database, name, clock, messaged }: Hub, deviceId: string): number {
  if (!messaged.has(deviceId)) return 0
  return Number(database.get(count, [name, deviceId, clock()])?.['pending'])
}

/** Queue a message; settles when it is durable. Refuses with DeviceMaximumQueueDepthExceeded, MessageTooLarge, DeviceNotFound. */
export async function enqueue(
  hub: Hub,
  deviceId: string,
  { properties, body, expires }: NewCloudToDeviceMessage,
): Promise<void> {
  const { bytes, pending, properties: mostProperties } = cloudToDeviceLimits
  if (body.length > bytes) throw new HubRefusal('MessageTooLarge', `the message is larger than ${bytes} bytes`)
  if (properties.length > mostProperties) {
    throw new HubRefusal('MessageTooLarge', `the properties take more than ${mostProperties} bytes`)
  }
  try {
    await hub.database.write([
      ...forgetSpent(hub, deviceId),
      { sql: insert, parameters: [hub.name, deviceId, properties, body, expires, pending], expect: 1 },
    ])
  } catch (error) {
    if (!(error instanceof UnmetExpectation)) throw error
    existing(hub, { deviceId, moduleId: '' })
    throw new HubRefusal('DeviceMaximumQueueDepthExceeded', `${pending} messages wait for the device`)
  }
  hub.messaged.add(deviceId)
  hub.connections.get(deviceId)?.deliver()
}

/** What waits for the device after a sequence number and is held by nobody else, oldest first. */
export function waiting({ database, name, clock, held }: Hub, deviceId: string, after: number): CloudToDeviceMessage[] {
  const { deliveries, pending } = cloudToDeviceLimits
  return database
    .all(select, [name, deviceId, after, clock(), deliveries, pending])
    .map(stored)
    .filter(({ sequence }) => !held.has(sequence))
}

/** Count a delivery of the message; one that was delivered too often is forgotten at the next `forgetSpent`. */
export function delivery(sequence: number): Write {
  return { sql: deliver, parameters: [sequence] }
}

/** The device has the message, or will not have it; whoever sent it hears of that if they asked to. */
export function completion(
  hub: Hub,
  deviceId: string,
  { sequence, properties }: Pick<CloudToDeviceMessage, 'sequence' | 'properties'>,
  fate: 'Success' | 'Rejected' = 'Success',
): Write[] {
  return [{ sql: remove, parameters: [sequence] }, ...feedback(hub, deviceId, properties, fate)]
}

/** Drop what expired or was delivered too often; whoever sent it hears of that if they asked to. */
export function forgetSpent(hub: Hub, deviceId: string): Write[] {
  const { name, clock, database, held } = hub
  const rows = database.all(spent, [name, deviceId, clock(), cloudToDeviceLimits.deliveries]).map(stored)
  return rows
    .filter(({ sequence }) => !held.has(sequence))
    .flatMap(({ sequence, properties, deliveries }) => [
      { sql: remove, parameters: [sequence] },
      ...feedback(
        hub,
        deviceId,
        properties,
        deliveries >= cloudToDeviceLimits.deliveries ? 'DeliveryCountExceeded' : 'Expired',
      ),
    ])
}

/** Drop all that waits for the device; gives how many there were. */
export async function purgeCloudToDevice(hub: Hub, deviceId: string): Promise<number> {
  const rows = waiting(hub, deviceId, 0)
  const records = rows.flatMap(({ properties }) => feedback(hub, deviceId, properties, 'Purged'))
  await hub.database.write([{ sql: purge, parameters: [hub.name, deviceId] }, ...records])
  return rows.length
}

function stored(row: SqlRow): CloudToDeviceMessage {
  return {
    sequence: Number(row['sequence']),
    properties: String(row['properties']),
    deliveries: Number(row['deliveries']),
    body: row['body'] instanceof Uint8Array ? Buffer.from(row['body']) : Buffer.alloc(0),
  }
}
