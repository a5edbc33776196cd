import type { Database, SqlRow } from '../sqlite/database.ts'

/** What a device sent, as it is kept. */
export interface TelemetryMessage {
  /** Grows from message to message; read on from here. */
  readonly position: number
  readonly deviceId: string
  readonly moduleId: string
  readonly enqueued: number
  /** The property bag as the device wrote it. */
  readonly properties: string
  readonly body: Buffer
}

/** Bytes of the largest message that is kept. [service-wire §13.2] */
export const largestTelemetry = 262_144

export type NewTelemetryMessage = Omit<TelemetryMessage, 'position'>

const insert =
  'insert into telemetry (position, hub, device, module, enqueued, properties, body) values (?, ?, ?, ?, ?, ?, ?)'
const expire = 'delete from telemetry where position < ?'
const last = 'select max(position) as position from telemetry'
const select = `select position, device, module, enqueued, properties, body from telemetry
  where hub = ? and device = ? and position > ? order by position limit ?`

const selectAll = `select position, device, module, enqueued, properties, body from telemetry
  where hub = ? and position > ? and enqueued > ? order by position limit ?`
const ends = `select min(position) as first, max(position) as last, max(enqueued) as enqueued from telemetry where hub = ?`

/** Where a hub's messages begin and end; undefined where it has none. */
export interface TelemetryEnds {
  readonly first: number
  readonly last: number
  readonly lastEnqueued: number
}

/** What a row costs beside its texts, so that a flood of empty messages is bounded too. */
const overhead = 256

/**
 * What devices sent, oldest forgotten first. A message's position counts the bytes before it, so that keeping the last
 * `capacity` bytes needs no counting.
 */
export class Telemetry {
  readonly #database: Database
  readonly #capacity: number
  #position: number
  readonly #listeners = new Set<() => void>()

  constructor(database: Database, capacity: number) {
    this.#database = database
    this.#capacity = capacity
    this.#position = Number(database.get(last)?.['position'] ?? 0)
  }

  /** Keep a message; settles when it is durable. */
  async append(hub: string, { deviceId, moduleId, enqueued, properties, body }: NewTelemetryMessage): Promise<void> {
    this.#position += body.length + properties.length + overhead
    await this.#database.write([
      { sql: insert, parameters: [this.#position, hub, deviceId, moduleId, enqueued, properties, body] },
      { sql: expire, parameters: [this.#position - this.#capacity] },
    ])
    for (const listener of this.#listeners) listener()
  }

  /** Call this after each message that is kept, of whatever hub; gives what ends that. */
  onKept(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Messages of all devices after a position, and enqueued after a moment in milliseconds since 1970, oldest first. */
  readAll(hub: string, after: number, enqueuedAfter: number, limit: number): TelemetryMessage[] {
    return this.#database.all(selectAll, [hub, after, enqueuedAfter, limit]).map(message)
  }

  ends(hub: string): TelemetryEnds | undefined {
    const row = this.#database.get(ends, [hub])
    if (!row || row['first'] === null) return undefined
    return { first: Number(row['first']), last: Number(row['last']), lastEnqueued: Number(row['enqueued']) }
  }

  /** The device's messages (its modules' too) after a position, oldest first. */
  read(hub: string, deviceId: string, after: number, limit: number): TelemetryMessage[] {
    return this.#database.all(select, [hub, deviceId, after, limit]).map(message)
  }
}

function message(row: SqlRow): TelemetryMessage {
  return {
    position: Number(row['position']),
    deviceId: String(row['device']),
    moduleId: String(row['module']),
    enqueued: Number(row['enqueued']),
    properties: String(row['properties']),
    body: row['body'] instanceof Uint8Array ? Buffer.from(row['body']) : Buffer.alloc(0),
  }
}
