import type { Peer } from '../../base/peer.ts'
import type { AmqpMessage, AmqpReply } from './message.ts'
import type { AmqpError } from './performatives.ts'
import type { SaslMechanisms } from './sasl.ts'

/** Who answers AMQP clients. `Identity` is whatever its SASL mechanisms learn of them. */
export interface AmqpService<Identity> {
  /** What OPEN is answered with. */
  readonly containerId: string
  readonly hostName: string
  readonly mechanisms: (peer: Peer) => SaslMechanisms<Identity>
  /**
   * What is said to OPEN. Without SASL there is no identity. A refusal is an OPEN with the property `com.microsoft:open-error`
   * and a CLOSE right behind it. [device-wire §4.7]
   */
  readonly open: (identity: Identity | undefined, peer: Peer) => AmqpClient | { readonly refused: AmqpError }
}

/** One client's dealings with a service, after a successful OPEN. The connection calls one method at a time, in order. */
export interface AmqpClient {
  /**
   * An error closes the connection. The link alone could be detached; but Node takes what comes before a DETACH for success, and
   * waits for a message. [device-wire §4.4]
   */
  readonly attach: (link: AmqpLink) => AmqpError | undefined
  /**
   * A message on a link that the client sends on. It is settled when this settles: `accepted`, with a reply that follows after
   * the reply delay on the link that the client receives on, or `rejected`.
   */
  readonly request: (message: AmqpMessage, link: AmqpLink) => Promise<AmqpOutcome>
  /** Called once, however the connection ended. */
  readonly closed: () => void
}

export interface AmqpLink {
  readonly client: 'sends' | 'receives'
  /** As the client spelled it; empty if it gave none. */
  readonly address: string
  /** Those with text values. */
  readonly properties: ReadonlyMap<string, string>
}

export type AmqpOutcome = { readonly reply?: AmqpReply } | { readonly rejected: AmqpError }

export interface AmqpLimits {
  /** Largest frame that is read, in bytes; announced in OPEN. */
  readonly frameBytes: number
  /** Largest message; announced in ATTACH. Four of them may wait on one session. */
  readonly messageBytes: number
  /** Milliseconds from the start of the connection to OPEN, the SASL exchange included. */
  readonly openTimeout: number
  /** Milliseconds without traffic, as announced in OPEN; a connection is cut after twice that. */
  readonly idleTimeout: number
  /** Milliseconds between settling a request and sending its reply. [device-wire §3.8] */
  readonly replyDelay: number
}
