import type { Hub } from '../hub.ts'

/** What a client is subscribed to, kept beyond the connection if it asked for that (clean session 0). */
export interface SubscriptionStore {
  has: (bits: number) => boolean
  /** Settles when the change is durable. */
  add: (bits: number) => Promise<void>
  remove: (bits: number) => Promise<void>
}

const select = 'select subscriptions from session where hub = ? and client = ?'
const upsert = `insert into session (hub, client, subscriptions) values (?, ?, ?)
  on conflict (hub, client) do update set subscriptions = excluded.subscriptions`
const remove = 'delete from session where hub = ? and client = ?'

/**
 * The client's subscriptions; `present` if some were kept for it. The Python SDK does not subscribe again when it
 * reconnects, so they must outlive this process too. [MQTT-3.1.2-4]
 */
export function openSubscriptions(
  { database, name, onFault }: Hub,
  client: string,
  clean: boolean,
): { store: SubscriptionStore; present: boolean } {
  const kept = database.get(select, [name, client])?.['subscriptions']
  const present = !clean && kept !== undefined
  if (clean && kept !== undefined) {
    database.write([{ sql: remove, parameters: [name, client] }]).catch(onFault)
  }
  let bits = present ? Number(kept) : 0
  let exists = present
  const change = async (changed: number): Promise<void> => {
    const same = changed === bits && exists
    if (!clean && !same) await database.write([{ sql: upsert, parameters: [name, client, changed] }])
    bits = changed
    exists = true
  }
  return {
    present,
    store: {
      has: (wanted) => (bits & wanted) === wanted,
      add: (added) => change(bits | added),
      remove: (removed) => change(bits & ~removed),
    },
  }
}
