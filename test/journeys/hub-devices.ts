import { setTimeout as wait } from 'node:timers/promises'
import type { Service } from '../fixtures/service.ts'

/** A device as a hub has it. */
export interface HubDevice {
  readonly identity: Record<string, unknown>
  readonly tags: Record<string, unknown>
  readonly desired: Record<string, unknown>
  readonly reported: Record<string, unknown>
}

/** The device at the service's hub of this index; undefined if it is not there. */
export async function deviceAt(service: Service, hub: number, deviceId: string): Promise<HubDevice | undefined> {
  const identity = await service.askHub(hub, 'GET', `/devices/${deviceId}`)
  if (identity.status === 404) return undefined
  const twin = await service.askHub(hub, 'GET', `/twins/${deviceId}`)
  if (twin.status === 404) return undefined
  const { tags, properties } = twin.json() as {
    tags?: Record<string, unknown>
    properties: { desired: Record<string, unknown>; reported: Record<string, unknown> }
  }
  return {
    identity: identity.json() as Record<string, unknown>,
    tags: own(tags ?? {}),
    desired: own(properties.desired),
    reported: own(properties.reported),
  }
}

/** The indexes of the hubs that have the device. */
export async function hubsWith(service: Service, deviceId: string): Promise<number[]> {
  const found = await Promise.all([0, 1].map((hub) => service.askHub(hub, 'GET', `/devices/${deviceId}`)))
  return found.flatMap(({ status }, hub) => (status === 404 ? [] : [hub]))
}

/** Waits until `condition` holds, at most so many milliseconds; whether it did. */
export async function eventually(condition: () => Promise<boolean>, limit = 10_000): Promise<boolean> {
  for (const end = Date.now() + limit; Date.now() < end; await wait(50)) if (await condition()) return true
  return condition()
}

function own(section: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(section).filter(([name]) => !name.startsWith('$')))
}
