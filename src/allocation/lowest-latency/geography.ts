import { Reader, type Response } from 'mmdb-lib'
import { isIP } from 'node:net'
import { isJsonObject } from '../../base/json.ts'
import type { LinkedHub } from '../../model/service.ts'
import type { Estimate, LatencySource } from '../lowest-latency.ts'
import { countries } from './countries.ts'
import { latencyBetween, coordinatesOf, type Coordinates } from './coordinates.ts'

/**
 * Latency by the distance between where a MaxMind-format database has the device's address and where the hubs are. The
 * database may name cities by coordinates or only countries; it is opened when the first device is asked for.
 */
export function geography(open: () => Buffer): LatencySource {
  let database: Reader<Response> | undefined
  return async ({ remoteAddress }, candidates) => {
    if (isIP(remoteAddress) === 0) return `the address ${remoteAddress || '(none)'} is no IP address`
    database ??= new Reader<Response>(open())
    const found = placed(database.get(remoteAddress))
    if (!found) return `the address ${remoteAddress} is not in the geographic database`
    const because = `${remoteAddress} is in ${found.name}, by the geographic database`
    return byDistance(found.place, because, candidates)
  }
}

/** Latencies to the hubs whose location says where they are; a sentence if none does. */
export function byDistance(from: Coordinates, because: string, candidates: readonly LinkedHub[]): Estimate | string {
  const latencies = new Map<LinkedHub, number>()
  for (const hub of candidates) {
    const place = coordinatesOf(hub.location)
    if (place) latencies.set(hub, latencyBetween(from, place))
  }
  if (latencies.size > 0) return { because, latencies, tolerance: 0 }
  return `no hub has a location that is an Azure region or coordinates: ${candidates.map(({ location }) => location).join(', ')}`
}

/** Databases of cities have `location`; MaxMind's countries have `country.iso_code`, DB-IP's `country_code`. */
function placed(record: unknown): { readonly name: string; readonly place: Coordinates } | undefined {
  if (!isJsonObject(record)) return undefined
  const { location, country, country_code: plain } = record
  if (isJsonObject(location)) {
    const { latitude, longitude } = location
    if (typeof latitude === 'number' && typeof longitude === 'number')
      return { name: `${latitude},${longitude}`, place: { latitude, longitude } }
  }
  const code = isJsonObject(country) ? country['iso_code'] : plain
  const place = typeof code === 'string' ? countries.get(code.toUpperCase()) : undefined
  return place && { name: String(code), place }
}
