import { randomUUID } from 'node:crypto'
import type { LinkedHub } from '../model/service.ts'
import type { Clocks } from '../base/time.ts'
import type { HubGuard } from './hub-guard.ts'
import { iotHub, type HubTransport } from './iot-hub.ts'

/** What probing works with. */
export interface Probing extends Clocks {
  readonly guard: HubGuard
  /** Watched by the guard. */
  readonly transport: HubTransport
}

/**
 * Find out whether a link works, before a device does: a device of a name that nobody has is asked for and removed, which
 * needs the rights to connect, to read and to write, and changes nothing. What is found, the guard knows; nothing is thrown.
 */
export async function probe(link: LinkedHub, { guard, transport, clock, monotonic }: Probing): Promise<void> {
  const probing: HubTransport = (hostName, request) => transport(hostName, { ...request, probe: true })
  const hub = iotHub(link, probing, clock, { until: -Infinity, monotonic, random: Math.random })
  const nobody = `hubward-probe-${randomUUID()}`
  try {
    await hub.device(nobody)
    const startedAt = monotonic()
    await hub.twin(nobody)
    // The clock counts whole milliseconds; no hub is nearer than one.
    guard.measured(link.hostName, Math.max(1, monotonic() - startedAt))
    await hub.remove(nobody)
  } catch {
    // The guard saw it on its way.
  }
}

/** Probe the links again and again; disposing it ends that. */
export function probeRegularly(
  links: () => Promise<readonly LinkedHub[]>,
  every: number,
  probing: Probing,
  onFault: (fault: unknown) => void,
): Disposable {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  const round = async (): Promise<void> => {
    const byHost = new Map((await links()).map((link) => [link.hostName.toLowerCase(), link]))
    await Promise.all([...byHost.values()].map((link) => probe(link, probing)))
  }
  const next = (): void => {
    round()
      .catch(onFault)
      .finally(() => {
        if (!stopped) timer = setTimeout(next, every).unref()
      })
  }
  next()
  return {
    [Symbol.dispose]: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}
