import type { Peer } from '../../base/peer.ts'
import type { Encoded } from './encoding.ts'
import type { AmqpMessage } from './message.ts'
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
  readonly open: (
    identity: Identity | undefined,
    peer: Peer,
    opening: AmqpOpening,
  ) => AmqpClient | { readonly refused: AmqpError }
}

/** What a service may know of a connection that opens, and do with it. */
export interface AmqpOpening {
  /** The name that the client says it dialled, with whatever it put behind it; empty if it said none. */
  readonly hostName: string
  /** End the connection, in order. */
  readonly close: (error?: AmqpError) => void
  /** Do something outside of a client's call: what it throws is told, and ends the connection; never rejects. */
  readonly guard: (task: () => void | Promise<void>) => Promise<void>
}

/** One client's dealings with a service, after a successful OPEN. */
export interface AmqpClient {
  /** What takes the messages of a link that the client sends on. */
  readonly takes: (link: AmqpLink) => AmqpTaker | LinkRefused
  /** What gives messages to a link that the client receives on, through the sender. */
  readonly gives: (link: AmqpLink, sender: AmqpSender) => AmqpGiver | LinkRefused
  /** Called once, however the connection ended. Its links are not told one by one. */
  readonly closed: () => void
}

/** A link is detached again, or closes the whole connection. */
export interface LinkRefused {
  readonly refused: AmqpError
  readonly closes?: boolean
}

export interface AmqpLink {
  readonly client: 'sends' | 'receives'
  /** As the client spelled it; empty if it gave none. */
  readonly address: string
  /** Of the client's own end, for replies to be told by; empty if it gave none. */
  readonly clientAddress: string
  /** Of the service's end, as it was encoded: it has the filters of a link that the client receives on. */
  readonly terminus: Encoded
  /** Those with text values. */
  readonly properties: ReadonlyMap<string, string>
}

/** Our end of a link that the client sends on. */
export interface AmqpTaker {
  /** Bytes of the largest message; the connection's limit if not said. */
  readonly messageBytes?: number
  /** A message, one at a time and in order. It is settled when this settles. */
  readonly take: (message: AmqpMessage) => Promise<AmqpOutcome>
  /** The client detached the link, or ended its session. */
  readonly detached?: () => void
}

/** Our end of a link that the client receives on. */
export interface AmqpGiver {
  /** The client takes more: `free` of the sender says how much. */
  readonly ready?: () => void
  /** The client detached the link, or ended its session. */
  readonly detached?: () => void
}

/** `afterwards` is called when the settlement is on its way. */
export type AmqpOutcome = { readonly afterwards?: () => void } | { readonly rejected: AmqpError }

/** What a client said became of a message; `lost`: it said nothing before its link ended. */
export type Delivered = 'accepted' | 'rejected' | 'released' | 'modified' | 'lost'

/** Sends on a link that the client receives on. */
export interface AmqpSender {
  /** Messages that the client has granted credit for beyond those that wait. */
  readonly free: () => number
  /**
   * Send a message, now or when there is credit; never rejects. A client that lets too many wait is closed. Where the message
   * is `settled`, or the client wants all of them so, it counts as accepted once it is sent.
   */
  readonly send: (message: Buffer, options?: { readonly settled?: boolean }) => Promise<Delivered>
  /** Detach the link. */
  readonly detach: (error: AmqpError) => void
}

export interface AmqpLimits {
  /** Largest frame that is read, in bytes; announced in OPEN. */
  readonly frameBytes: number
  /** Largest message; announced in ATTACH. */
  readonly messageBytes: number
  /** Milliseconds from the start of the connection to OPEN, the SASL exchange included. */
  readonly openTimeout: number
  /** Milliseconds without traffic, as announced in OPEN; a connection is cut after twice that. */
  readonly idleTimeout: number
}
