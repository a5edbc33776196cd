import { Scope } from './scope.ts'

/**
 * The scopes of addresses and networks, by name. Those with connections are kept; of the rest so many are remembered, and
 * those in which somebody proved who they are cannot be pushed out by those in which nobody did.
 */
export class Scopes<Connection> {
  readonly #live = new Map<string, Scope<Connection>>()
  readonly #proven = new Map<string, Scope<Connection>>()
  readonly #strange = new Map<string, Scope<Connection>>()
  readonly #mostRemembered: number

  /** @param mostRemembered without connections, of either sort */
  constructor(mostRemembered: number) {
    this.#mostRemembered = mostRemembered
  }

  /** The scope of this name; it stays until it is left with no connection in it. */
  enter(name: string): Scope<Connection> {
    const live = this.#live.get(name)
    if (live) return live
    const scope = this.#proven.get(name) ?? this.#strange.get(name) ?? new Scope<Connection>()
    this.#proven.delete(name)
    this.#strange.delete(name)
    this.#live.set(name, scope)
    return scope
  }

  /** To be called when a connection has left the scope, or did not come in. */
  leave(name: string): void {
    const scope = this.#live.get(name)
    if (!scope?.isEmpty) return
    this.#live.delete(name)
    const remembered = scope.provedAt === -Infinity ? this.#strange : this.#proven
    remembered.set(name, scope)
    if (remembered.size <= this.#mostRemembered) return
    const [oldest] = remembered.keys()
    if (oldest !== undefined) remembered.delete(oldest)
  }

  /** How many are kept, with connections and without. */
  get size(): number {
    return this.#live.size + this.#proven.size + this.#strange.size
  }
}
