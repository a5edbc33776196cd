import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts'
import type { LinkedHub } from '../../model/service.ts'
import { networks } from '../../base/networks.ts'
import type { LatencySource } from '../lowest-latency.ts'
import { byDistance } from './geography.ts'
import { coordinatesOf, type Coordinates } from './coordinates.ts'

/** What an operator says of a network, or of a site that devices name themselves. */
interface Rule {
  readonly name: string
  readonly covers: (address: string, site: string | undefined) => boolean
  /** Milliseconds by host name in lower case; a host `*` is any other. */
  readonly latency?: ReadonlyMap<string, number>
  readonly place?: Coordinates
}

/** A rules file that cannot be: the message says where and what was expected. */
export class RulesInvalid extends Error {
  override readonly name = 'RulesInvalid'
}

/**
 * An operator's own rules: `{ "siteMember": "site", "rules": [{ "network": "10.1.0.0/16" | "site": "berlin",
 * "latency": { "hub-a.example": 5 } | "location": "westeurope" }] }`. The first that covers the device decides; a site is what
 * the device says of itself in that member of its payload. Throws RulesInvalid.
 */
export function rules(file: Json | undefined): LatencySource {
  if (!isJsonObject(file) || !Array.isArray(file['rules']))
    throw new RulesInvalid('expected an object with a list `rules`')
  const siteMember = String(file['siteMember'] ?? 'site')
  const all = file['rules'].map((rule: Json, index) => readRule(rule, `rules[${index}]`))
  return async ({ remoteAddress, payload }, candidates) => {
    const named = isJsonObject(payload) && Object.hasOwn(payload, siteMember) ? payload[siteMember] : undefined
    const site = typeof named === 'string' ? named : undefined
    const rule = all.find(({ covers }) => covers(remoteAddress, site))
    if (!rule) return `no rule covers the address ${remoteAddress}${site === undefined ? '' : ` or the site ${site}`}`
    const because = `by the rule for ${rule.name}`
    if (rule.place) return byDistance(rule.place, because, candidates)
    const latencies = new Map<LinkedHub, number>()
    for (const hub of candidates) {
      const latency = rule.latency?.get(hub.hostName.toLowerCase()) ?? rule.latency?.get('*')
      if (latency !== undefined) latencies.set(hub, latency)
    }
    return latencies.size > 0
      ? { because, latencies, tolerance: 0 }
      : `the rule for ${rule.name} names no permitted hub`
  }
}

function readRule(rule: Json, where: string): Rule {
  if (!isJsonObject(rule)) throw new RulesInvalid(`${where}: expected an object`)
  const { network, site, latency, location } = rule
  const to = destination(latency, location, where)
  if (typeof site === 'string') return { name: `site ${site}`, covers: (_, named) => named === site, ...to }
  if (typeof network !== 'string') throw new RulesInvalid(`${where}: expected \`network\` or \`site\``)
  const covers = networkOf(network, where)
  return { name: network, covers, ...to }
}

function destination(latency: Json | undefined, location: Json | undefined, where: string) {
  if (typeof location === 'string') {
    const place = coordinatesOf(location)
    if (place) return { place }
    throw new RulesInvalid(`${where}: location ${location} is neither an Azure region nor \`latitude,longitude\``)
  }
  if (!isJsonObject(latency)) throw new RulesInvalid(`${where}: expected \`latency\` or \`location\``)
  return { latency: new Map(Object.entries(latency).map(([host, value]) => milliseconds(host, value, where))) }
}

function milliseconds(host: string, value: JsonObject[string], where: string): [string, number] {
  if (typeof value === 'number' && value >= 0) return [host.toLowerCase(), value]
  throw new RulesInvalid(`${where}: the latency of ${host} is not a number of milliseconds`)
}

function networkOf(text: string, where: string): Rule['covers'] {
  try {
    return networks([text])
  } catch (error) {
    throw new RulesInvalid(`${where}: ${error instanceof Error ? error.message : error}`)
  }
}
