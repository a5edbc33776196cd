import type { LinkedHub } from '../../model/service.ts'
import type { LatencySource } from '../lowest-latency.ts'

/** Measurements waver by about as much. */
const tolerance = 10

/**
 * The round trip from this node to each hub, for deployments whose devices are all near it. `measured` is the latest in
 * milliseconds; undefined if there is none yet.
 */
export function measured(latencyOf: (hub: LinkedHub) => number | undefined): LatencySource {
  return async (_, candidates) => {
    const latencies = new Map<LinkedHub, number>()
    for (const hub of candidates) {
      const latency = latencyOf(hub)
      if (latency !== undefined) latencies.set(hub, latency)
    }
    return latencies.size > 0
      ? { because: 'as measured from this node', latencies, tolerance }
      : 'no hub has been measured yet'
  }
}
