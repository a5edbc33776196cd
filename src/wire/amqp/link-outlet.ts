import type { Account } from '../../base/memory.ts'
import type { Encoded } from './encoding.ts'
import type { AmqpError } from './performatives.ts'

/** Bytes that a delivery or a link takes beside what was sent for it. */
export const overhead = 1024

/** What the links of a session need of it. */
export interface LinkOutlet {
  readonly send: (performative: number, fields: readonly (Encoded | undefined)[]) => void
  readonly sendFlow: (link: LinkState) => void
  /** Send a message if the client has granted window for all of it; its delivery ID if it was sent. */
  readonly sendMessage: (handle: number, message: Buffer, settled: boolean) => number | undefined
  readonly detach: (handle: number, error: AmqpError) => void
  /** Does something outside of the turn of a frame: the connection ends with what it throws. */
  readonly guard: (task: () => void | Promise<void>) => Promise<void>
  readonly memory: Account
}

/** How a link stands, as FLOW tells it. */
export interface LinkState {
  readonly handle: number
  readonly deliveryCount: number
  readonly credit: number
  readonly drain?: boolean
}

/** Serial numbers wrap. [RFC 1982] */
export function serial(number: number): number {
  return number >>> 0
}
