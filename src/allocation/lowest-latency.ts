import { hashKey, highestScore } from './evenly-weighted.ts'
import type { AllocationPolicy, ToAllocate } from './allocation.ts'
import type { LinkedHub } from '../model/service.ts'

/** How long it takes this device to reach its candidates, in milliseconds, as far as one source knows. */
export interface Estimate {
  /** Where it comes from, in the operator's words. */
  readonly because: string
  readonly latencies: ReadonlyMap<LinkedHub, number>
  /** Hubs that are no more than this many milliseconds behind the nearest tie with it. */
  readonly tolerance: number
}

/** One way of knowing; undefined if it knows nothing of this device. A string says why not. */
export type LatencySource = (device: ToAllocate, candidates: readonly LinkedHub[]) => Promise<Estimate | string>

/**
 * The hub with the lowest latency to the device: the first source that knows decides. Hubs that tie are chosen by hash, and so
 * are all of them when no source knows. [service-wire §9.1]
 */
export function lowestLatency(sources: readonly LatencySource[]): AllocationPolicy {
  return {
    name: 'geoLatency',
    automatic: true,
    external: false,
    choose: async (device, candidates) => {
      const unknown: string[] = []
      for (const source of sources) {
        const estimate = await source(device, candidates)
        if (typeof estimate === 'string') unknown.push(estimate)
        else return nearest(device, estimate)
      }
      const because = `by hash: ${unknown.join('; ') || 'no source of latencies is configured'}`
      return { hub: highestScore(hashKey(device), candidates), because, repeatable: true }
    },
  }
}

function nearest(device: ToAllocate, { because, latencies, tolerance }: Estimate) {
  const least = Math.min(...latencies.values())
  const tied = [...latencies].filter(([, latency]) => latency <= least + tolerance).map(([hub]) => hub)
  // What is measured wavers; a device is not moved for that.
  const present = device.registration?.assignment?.assignedHub.toLowerCase()
  const stays = tolerance > 0 ? tied.find(({ hostName }) => hostName.toLowerCase() === present) : undefined
  const hub = stays ?? highestScore(hashKey(device), tied)
  const told = `${because}: ${Math.round(latencies.get(hub) ?? least)} ms`
  const how = tied.length === 1 ? told : `${told}, ${tied.length} hubs tie, ${stays ? 'it stays' : 'by hash'}`
  return { hub, because: how, repeatable: false }
}
