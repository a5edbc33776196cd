import type { Write } from '../sqlite/transactions.ts'
import type { Hub } from './hub.ts'
import { findIdentity } from './identity-table.ts'
import { parsePropertyBag } from './property-bag.ts'

/** What became of a cloud-to-device message, in the words of its sender's SDK. [service-wire §13.5] */
export type Fate = 'Success' | 'Rejected' | 'Expired' | 'DeliveryCountExceeded' | 'Purged'

export interface FeedbackRecord {
  readonly sequence: number
  /** JSON. */
  readonly record: string
}

/** Records that one message brings, and those that wait for a taker before the oldest are forgotten. */
const mostAtOnce = 64
const mostWaiting = 10_000

const insert = 'insert into feedback (hub, record) values (?, ?)'
const bound = `delete from feedback where hub = ?1 and sequence <=
  (select max(sequence) from feedback where hub = ?1) - ${mostWaiting}`
const select = 'select sequence, record from feedback where hub = ? and sequence > ? order by sequence limit ?'
const remove = 'delete from feedback where hub = ? and sequence between ? and ?'

/** The record for a message with these properties, if its sender asked for one (`iothub-ack`) and named the message. */
export function feedback(hub: Hub, deviceId: string, properties: string, fate: Fate): Write[] {
  const bag = parsePropertyBag(properties)
  const wanted = bag?.get('iothub-ack')
  const originalMessageId = bag?.get('$.mid')
  const isWanted = wanted === 'full' || wanted === (fate === 'Success' ? 'positive' : 'negative')
  if (!originalMessageId || !isWanted) return []
  const record = JSON.stringify({
    originalMessageId,
    description: fate,
    deviceGenerationId: findIdentity(hub.database, hub.name, deviceId)?.generation ?? '',
    deviceId,
    enqueuedTimeUtc: new Date(hub.clock()).toISOString(),
    statusCode: fate,
  })
  return [
    { sql: insert, parameters: [hub.name, record] },
    { sql: bound, parameters: [hub.name] },
  ]
}

/** Records after a sequence number, oldest first. */
export function waitingFeedback({ database, name }: Hub, after: number): FeedbackRecord[] {
  return database
    .all(select, [name, after, mostAtOnce])
    .map((row) => ({ sequence: Number(row['sequence']), record: String(row['record']) }))
}

/** Whoever took these records has them. */
export function feedbackTaken({ name }: Hub, first: number, last: number): Write {
  return { sql: remove, parameters: [name, first, last] }
}
