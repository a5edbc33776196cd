/** How a client broke the protocol of its connection, which ended with that. */
export interface Breach {
  /** `version`: it speaks another version of the protocol. */
  readonly of: 'version' | 'protocol'
  /** What was expected and what was found. */
  readonly found: string
  /** What it called itself, where it had said so. */
  readonly clientId?: string
}
