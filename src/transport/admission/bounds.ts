import type { Rate } from './leaky-bucket.ts'
import type { Stage } from './connection-scope.ts'

/** What bounds the connections of one listener. Infinity: nothing does. */
export interface Bounds {
  readonly connections: number
  /** Those that this machine itself may have beyond all others together, so that its operators are never without. */
  readonly localConnections: number
  readonly connectionsPerAddress: number
  readonly connectionsPerNetwork: number
  /** Connections on which nobody has proved who they are. */
  readonly unprovenConnections: number
  readonly unprovenPerAddress: number
  /** Those of them for which TLS does not stand yet. */
  readonly handshakes: number
  readonly handshakesPerAddress: number
  /** New connections of one address. */
  readonly newConnections: Rate
  /** Proofs of one address that were refused, and handshakes that failed. */
  readonly failedAttempts: Rate
  /** Milliseconds from the beginning of a connection until TLS stands. */
  readonly handshakeTimeout: number
  /** Milliseconds from then until somebody has proved who they are. */
  readonly proofTimeout: number
  /** Whether clients share this address, as behind a load balancer: it is then bound by nothing of its own. */
  readonly isShared: (address: string) => boolean
}

/** The bounds by which a connection is turned away, by their names. */
export type TurnAwayCause = Exclude<keyof Bounds, 'localConnections' | 'isShared'>

/** A number of connections that a newcomer may meet. */
export interface Bound {
  readonly cause: Extract<TurnAwayCause, keyof Bounds> & KeysOfNumbers
  readonly of: 'everybody' | 'network' | 'address'
  readonly counted: readonly Stage[]
}

type KeysOfNumbers = { [Key in keyof Bounds]: Bounds[Key] extends number ? Key : never }[keyof Bounds]

const handshakes = ['silent', 'handshake'] as const
const unproven = [...handshakes, 'unproven', 'failed'] as const
const everything = [...unproven, 'proven'] as const

/** The narrow ones first: who makes room there has made it everywhere. */
export const meetable: readonly Bound[] = [
  { cause: 'handshakesPerAddress', of: 'address', counted: handshakes },
  { cause: 'unprovenPerAddress', of: 'address', counted: unproven },
  { cause: 'connectionsPerAddress', of: 'address', counted: everything },
  { cause: 'connectionsPerNetwork', of: 'network', counted: everything },
  { cause: 'handshakes', of: 'everybody', counted: handshakes },
  { cause: 'unprovenConnections', of: 'everybody', counted: unproven },
  { cause: 'connections', of: 'everybody', counted: everything },
]

/** An address at which somebody proved who they are within this time may do so many times as much. Milliseconds. */
export const knownFor = 60 * 60 * 1000
const knownFactor = 10

/** What an address may do, or one of those that are known. */
export function rateFor({ perSecond, most }: Rate, isKnown: boolean): Rate {
  return isKnown ? { perSecond: perSecond * knownFactor, most: most * knownFactor } : { perSecond, most }
}
