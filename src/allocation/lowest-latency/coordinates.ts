import { regions } from './regions.ts'

/** A point on Earth, in degrees. */
export interface Coordinates {
  readonly latitude: number
  readonly longitude: number
}

const byName = new Map(Object.entries(regions))

/** The place that a hub's location names: an Azure region (`westeurope`, `West Europe`) or `latitude,longitude`. */
export function coordinatesOf(location: string): Coordinates | undefined {
  const region = byName.get(location.toLowerCase().replaceAll(/[\s-]/g, ''))
  if (region) return { latitude: region[0], longitude: region[1] }
  const [, latitude, longitude] = coordinates.exec(location) ?? []
  const place = { latitude: Number(latitude), longitude: Number(longitude) }
  return Math.abs(place.latitude) <= 90 && Math.abs(place.longitude) <= 180 ? place : undefined
}

const coordinates = /^\s*([-+]?\d{1,2}(?:\.\d+)?)\s*,\s*([-+]?\d{1,3}(?:\.\d+)?)\s*$/

/** The round trip to be expected between two places, in milliseconds. */
export function latencyBetween(from: Coordinates, to: Coordinates): number {
  return greatCircle(from, to) * millisecondsPerKilometre
}

/** Light in fibre takes 0.01 ms per kilometre there and back; cables are half as long again as the great circle. */
const millisecondsPerKilometre = 0.015
const earthRadius = 6371

/** Kilometres. */
export function greatCircle(from: Coordinates, to: Coordinates): number {
  const [a, b] = [radians(from.latitude), radians(to.latitude)]
  const [dLatitude, dLongitude] = [b - a, radians(to.longitude - from.longitude)]
  const half = Math.sin(dLatitude / 2) ** 2 + Math.cos(a) * Math.cos(b) * Math.sin(dLongitude / 2) ** 2
  return 2 * earthRadius * Math.asin(Math.min(1, Math.sqrt(half)))
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180
}
