import type { Account } from './memory.ts'

/** The other end of a connection, as TLS knows it. */
export interface Peer {
  readonly remoteAddress: string
  /** The name that the client dialled (SNI), or the address it came to if it named none; absent: not known. */
  readonly serverName?: string
  /** What the client presented in the handshake: DER, leaf first, each followed by its issuer; empty without a certificate. */
  readonly certificateChain: readonly Buffer[]
  /** Whoever bounds connections hears by this what became of the proofs on this one; absent: nobody does. */
  readonly standing?: Standing
  /** Where what is held for this connection is counted; absent: nowhere. */
  readonly memory?: Account
}

/** How a connection stands with whoever bounds connections. */
export interface Standing {
  /** Somebody on it has proved who they are. May be called any number of times. */
  readonly proved: () => void
  /** A proof was refused, or what should have come with one. */
  readonly failed: () => void
  readonly isProven: () => boolean
}

/**
 * Tell whoever bounds connections that a request on this one was refused with this HTTP status, if it counts as a failed attempt: what
 * was to prove something did not, or somebody who has proved nothing sent what cannot be answered. That a limit was met does not count.
 */
export function tellRefused(standing: Standing | undefined, status: number): void {
  if (!standing) return
  if (status === 401 || (status < 500 && status !== 429 && !standing.isProven())) standing.failed()
}
