import { Scope } from './connection-scope.ts'

/**
 * The scopes of addresses and networks, by name. Those with connections are kept; of the rest so many are remembered, and
 * those in which somebody proved who they are cannot be pushed out by those in which nobody did.
 */
export class Scopes<Connection> {
  readonly #live = new Map<string, Scope<Connection>>()
  readonly #proven: Remembered<Scope<Connection>>
  readonly #strange: Remembered<Scope<Connection>>

  /** @param mostRemembered without connections, of either sort */
  constructor(mostRemembered: number) {
    this.#proven = new Remembered(mostRemembered)
    this.#strange = new Remembered(mostRemembered)
  }

  /** The scope of this name; it stays until it is left with no connection in it. */
  enter(name: string): Scope<Connection> {
    const live = this.#live.get(name)
    if (live) return live
    const scope = this.#proven.take(name) ?? this.#strange.take(name) ?? new Scope<Connection>()
    this.#live.set(name, scope)
    return scope
  }

  /** The scope of this name, if there are connections in it. */
  live(name: string): Scope<Connection> | undefined {
    return this.#live.get(name)
  }

  /** To be called when a connection has left the scope, or did not come in. */
  leave(name: string): void {
    const scope = this.#live.get(name)
    if (!scope?.isEmpty) return
    this.#live.delete(name)
    const remembered = scope.provedAt === -Infinity ? this.#strange : this.#proven
    remembered.put(name, scope)
  }

  /** How many are kept, with connections and without. */
  get size(): number {
    return this.#live.size + this.#proven.size + this.#strange.size
  }
}

/** Keeps half of its values at least, the latest ones; the older half is dropped whole, because that costs the same for any number. */
class Remembered<Value> {
  #recent = new Map<string, Value>()
  #older = new Map<string, Value>()
  readonly #half: number

  constructor(most: number) {
    this.#half = Math.ceil(most / 2)
  }

  put(name: string, value: Value): void {
    this.#recent.set(name, value)
    if (this.#recent.size < this.#half) return
    this.#older = this.#recent
    this.#recent = new Map()
  }

  /** The value of this name, which is not remembered any longer. */
  take(name: string): Value | undefined {
    for (const values of [this.#recent, this.#older]) {
      const value = values.get(name)
      if (value === undefined) continue
      values.delete(name)
      return value
    }
    return undefined
  }

  get size(): number {
    return this.#recent.size + this.#older.size
  }
}
