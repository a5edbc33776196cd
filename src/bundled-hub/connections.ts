import type { Json, JsonObject } from '../base/json.ts'

/** What a device answered to a direct method. */
export interface MethodAnswer {
  readonly status: number
  readonly payload: Json
}

/** A device or module that is connected now. */
export interface Connection {
  /** End the connection. */
  readonly close: () => void
  /** Tell of a change of the desired properties, if the client subscribed to that. */
  readonly desiredChanged: (patch: JsonObject, version: number) => void
  /** Deliver what waits in the cloud-to-device queue, if the client subscribed to that. */
  readonly deliver: () => void
  /** True once the client subscribed to direct methods. */
  readonly takesMethods: () => boolean
  /** The client's answer; undefined if the client left or did not answer within `timeout` milliseconds. */
  readonly invoke: (method: string, payload: string, timeout: number) => Promise<MethodAnswer | undefined>
}

/** Who is connected to one hub, by client identifier (`device` or `device/module`). */
export class Connections {
  /** By device, then by client: a device is cut with its modules, and among many thousands. */
  readonly #live = new Map<string, Map<string, Connection>>()
  readonly #waiting = new Map<string, Set<() => void>>()

  /** A second connection of the same client closes the first. [service-wire §13.1] */
  add(client: string, connection: Connection): void {
    const clients = this.#live.get(deviceOf(client)) ?? new Map<string, Connection>()
    const older = clients.get(client)
    this.#live.set(deviceOf(client), clients.set(client, connection))
    older?.close()
  }

  /** Forget the connection; a newer one of the same client stays. */
  remove(client: string, connection: Connection): void {
    const clients = this.#live.get(deviceOf(client))
    if (clients?.get(client) !== connection) return
    clients.delete(client)
    if (clients.size === 0) this.#live.delete(deviceOf(client))
  }

  get(client: string): Connection | undefined {
    return this.#live.get(deviceOf(client))?.get(client)
  }

  has(client: string): boolean {
    return this.get(client) !== undefined
  }

  /** How many devices are connected, themselves or by a module. */
  get devices(): number {
    return this.#live.size
  }

  /** End the device's connection and those of its modules. */
  closeDevice(device: string): void {
    for (const connection of this.#live.get(device)?.values() ?? []) connection.close()
  }

  closeAll(): void {
    for (const device of this.#live.keys()) this.closeDevice(device)
  }

  /** To be called when a client has become able to take methods. */
  announce(client: string): void {
    for (const wake of this.#waiting.get(client) ?? []) wake()
  }

  /** The client's connection once it takes methods; undefined if it does not within `timeout` milliseconds. */
  whenTakingMethods(client: string, timeout: number): Promise<Connection | undefined> {
    const present = (): Connection | undefined => {
      const connection = this.get(client)
      return connection?.takesMethods() ? connection : undefined
    }
    const now = present()
    if (now || timeout <= 0) return Promise.resolve(now)
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(client) ?? new Set()
      const settle = (): void => {
        clearTimeout(timer)
        waiting.delete(settle)
        if (waiting.size === 0) this.#waiting.delete(client)
        resolve(present())
      }
      const timer = setTimeout(settle, timeout)
      this.#waiting.set(client, waiting.add(settle))
    })
  }
}

function deviceOf(client: string): string {
  const slash = client.indexOf('/')
  return slash < 0 ? client : client.slice(0, slash)
}
