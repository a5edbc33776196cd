import type { Database } from '../sqlite/database.ts'
import type { Connections } from './connections.ts'
import type { Policies } from './policy.ts'
import type { Telemetry } from './telemetry.ts'
import type { RefusedClient } from './turned-away.ts'

/** Who has a cloud-to-device message. */
export interface Hold {
  readonly deviceId: string
  /** What the device settles it by, where no connection says it, and the message's property bag. */
  readonly lock?: { readonly token: string; readonly properties: string }
}

/** One hub: what its REST API and its device side both need. */
export interface Hub {
  /** Its host name in lower case; every key in the database begins with it. */
  readonly name: string
  readonly database: Database
  /** Milliseconds since 1970. */
  readonly clock: () => number
  readonly policies: Policies
  readonly connections: Connections
  readonly telemetry: Telemetry
  /** Devices for which messages may wait: most never get one, and need no counting. */
  readonly messaged: Set<string>
  /** Cloud-to-device messages, by sequence, that a device has and has not settled; they are delivered to nobody else. */
  readonly held: Map<number, Hold>
  /** Told of devices that were not let in. */
  readonly onTurnedAway: (turnedAway: RefusedClient) => void
  /** Told of what must not happen and has nobody else to tell. */
  readonly onFault: (fault: unknown) => void
}
