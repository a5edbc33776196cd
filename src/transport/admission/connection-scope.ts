import { LeakyBucket } from './leaky-bucket.ts'

/** How far a connection has come: nothing was heard of it; TLS is being agreed on; TLS stands; a proof was refused; one was accepted. */
export type Stage = 'silent' | 'handshake' | 'unproven' | 'failed' | 'proven'

/** Those in which a connection may have to give way to another. */
export type Waiting = Exclude<Stage, 'proven'>

const waitingStages = ['silent', 'handshake', 'unproven', 'failed'] as const satisfies readonly Waiting[]

/** Connections that share a bound: those of one address, of one network, or all of them. */
export class Scope<Connection> {
  readonly arrivals = new LeakyBucket()
  readonly failures = new LeakyBucket()
  /** When somebody here last proved who they are, in monotonic milliseconds. */
  provedAt = -Infinity
  readonly #waiting = new Map<Waiting, Set<Connection>>()
  #proven = 0

  add(connection: Connection, stage: Stage): void {
    if (stage === 'proven') this.#proven++
    else this.#setOf(stage).add(connection)
  }

  remove(connection: Connection, stage: Stage): void {
    if (stage === 'proven') this.#proven--
    else this.#waiting.get(stage)?.delete(connection)
  }

  /** How many are in one of these stages. */
  count(stages: readonly Stage[]): number {
    return stages.reduce((sum, stage) => sum + this.#size(stage), 0)
  }

  /** Those in this stage, by the time they came to it. */
  in(stage: Waiting): Iterable<Connection> {
    return this.#waiting.get(stage) ?? []
  }

  /**
   * Who gives way first: the one whose proof was refused longest ago, else the oldest of the stage that holds most. Whoever fills
   * a stage by not going on displaces itself, and leaves the others their time.
   */
  first(stages: readonly Stage[]): Connection | undefined {
    const eligible = waitingStages.filter((stage) => stages.includes(stage) && this.#size(stage) > 0)
    const fullest = eligible.toSorted((a, b) => this.#size(b) - this.#size(a))[0]
    const stage = eligible.includes('failed') ? 'failed' : fullest
    const [oldest] = stage === undefined ? [] : this.in(stage)
    return oldest
  }

  get isEmpty(): boolean {
    return this.#proven === 0 && waitingStages.every((stage) => this.#size(stage) === 0)
  }

  #size(stage: Stage): number {
    return stage === 'proven' ? this.#proven : (this.#waiting.get(stage)?.size ?? 0)
  }

  #setOf(stage: Waiting): Set<Connection> {
    let connections = this.#waiting.get(stage)
    if (!connections) this.#waiting.set(stage, (connections = new Set()))
    return connections
  }
}
