import { Presets, SingleBar } from 'cli-progress'
import type { JsonRecord } from './api-session.ts'

/** Devices to be registered, and how one is. */
export interface Simulation {
  readonly count: number
  readonly concurrency: number
  readonly prefix: string
  /** Settles with the hub that the device was assigned to; rejects with the reason why not. */
  readonly register: (registrationId: string) => Promise<string>
}

/** How a simulation went. */
export interface Summary extends JsonRecord {
  readonly devices: number
  readonly assigned: number
  readonly failed: number
  readonly perSecond: number
  readonly medianMilliseconds: number
  readonly percentile99Milliseconds: number
  /** Devices by hub. */
  readonly hubs: Readonly<Record<string, number>>
  /** Devices by what they were told. */
  readonly failures: Readonly<Record<string, number>>
  readonly firstFailed?: string
}

/** Register them all, so many at a time, with a progress bar where `screen` is a terminal. */
export async function simulate(simulation: Simulation, screen: NodeJS.WriteStream): Promise<Summary> {
  const { count, concurrency, prefix, register } = simulation
  const hubs: Record<string, number> = {}
  const failures: Record<string, number> = {}
  const durations: number[] = []
  let firstFailed: string | undefined
  const format = ' {bar} {value}/{total}  {failed} failed  {eta_formatted} left'
  const bar = screen.isTTY ? new SingleBar({ stream: screen, format }, Presets.shades_classic) : undefined
  bar?.start(count, 0, { failed: 0 })
  let next = 0
  let failed = 0
  const begun = performance.now()
  const work = async () => {
    while (next < count) {
      const registrationId = `${prefix}${String(++next).padStart(String(count).length, '0')}`
      const since = performance.now()
      try {
        const hub = await register(registrationId)
        hubs[hub] = (hubs[hub] ?? 0) + 1
        durations.push(performance.now() - since)
      } catch (error) {
        const said = error instanceof Error ? error.message : String(error)
        failures[said] = (failures[said] ?? 0) + 1
        firstFailed ??= registrationId
        failed += 1
      }
      bar?.increment(1, { failed })
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, work))
  bar?.stop()
  const seconds = (performance.now() - begun) / 1000
  durations.sort((a, b) => a - b)
  const percentile = (of: number) => Math.round(durations[Math.ceil(durations.length * of) - 1] ?? 0)
  return {
    devices: count,
    assigned: durations.length,
    failed,
    perSecond: Math.round((count / seconds) * 10) / 10,
    medianMilliseconds: percentile(0.5),
    percentile99Milliseconds: percentile(0.99),
    hubs,
    failures,
    ...(firstFailed !== undefined && { firstFailed }),
  }
}
