/** The other end of a connection, as TLS knows it. */
export interface Peer {
  readonly remoteAddress: string
  /** What the client presented in the handshake: DER, leaf first, each followed by its issuer; empty without a certificate. */
  readonly certificateChain: readonly Buffer[]
}
