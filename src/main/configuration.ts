import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

import { settingEntries, type settings } from './settings.ts'

/** The settings of one run. */
export type Configuration = { readonly [key in keyof typeof settings]: ReturnType<(typeof settings)[key]['read']> & {} }

/** A setting that cannot be: the message names its key and what was expected. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

/**
 * The settings of this run: flags over environment over configuration file (`--config FILE` or HUBWARD_CONFIG, JSON) over
 * defaults. Throws ConfigurationError for an unknown key, flag or HUBWARD_ variable, and for a bad value.
 */
export function readConfiguration(args: readonly string[], environment: Readonly<NodeJS.ProcessEnv>): Configuration {
  const flags = readFlags(args)
  const file = flags.get('config') ?? environment['HUBWARD_CONFIG']
  const sources = [flags, readEnvironment(environment), file === undefined ? new Map() : readFile(file)]
  const values = settingEntries().map(([key, setting]) => {
    const given = sources.find((source) => source.has(key))?.get(key)
    if (given === undefined) return [key, setting.fallback]
    const value = setting.read(given)
    if (value === undefined)
      throw new ConfigurationError(`${key} is ${JSON.stringify(given)}; expected ${setting.expected}`)
    return [key, value]
  })
  return Object.fromEntries(values) as Configuration
}

function readFlags(args: readonly string[]): Map<string, string> {
  const options = Object.fromEntries(
    [...settingEntries().map(([, { flag }]) => flag), 'config'].map((flag) => [flag, { type: 'string' as const }]),
  )
  try {
    const { values } = parseArgs({ args: [...args], options })
    const keys = new Map(settingEntries().map(([key, { flag }]) => [flag, key]))
    return new Map(Object.entries(values).map(([flag, value]) => [keys.get(flag) ?? flag, String(value)]))
  } catch (error) {
    throw new ConfigurationError(error instanceof Error ? error.message : String(error))
  }
}

function readEnvironment(environment: Readonly<NodeJS.ProcessEnv>): Map<string, string> {
  const keys = new Map(settingEntries().map(([key, setting]) => [setting.environment, key]))
  const given = new Map<string, string>()
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('HUBWARD_') || value === undefined || name === 'HUBWARD_CONFIG') continue
    const key = keys.get(name)
    // The facts that connection.env exports may stand in the environment of the next start.
    if (key !== undefined) given.set(key, value)
    else if (!exported.has(name) && !/^HUBWARD_HUB_\d+_CONNECTION_STRING$/.test(name)) {
      throw new ConfigurationError(`${name} is not a setting; expected one of ${[...keys.keys()].join(', ')}`)
    }
  }
  return given
}

const exported = new Set([
  'HUBWARD_ID_SCOPE',
  'HUBWARD_SERVICE_CONNECTION_STRING',
  'HUBWARD_CA_FILE',
  'HUBWARD_MANAGEMENT_ENDPOINT',
  'HUBWARD_MANAGEMENT_TOKEN',
])

function readFile(path: string): Map<string, string> {
  let content: unknown
  try {
    content = JSON.parse(readFileSync(resolve(path), 'utf8'))
  } catch (error) {
    throw new ConfigurationError(`${path} cannot be read as JSON: ${error instanceof Error ? error.message : error}`)
  }
  if (typeof content !== 'object' || content === null)
    throw new ConfigurationError(`${path} does not hold a JSON object`)
  const known = new Set(settingEntries().map(([key]) => key))
  return new Map(
    Object.entries(content).map(([key, value]) => {
      if (!known.has(key))
        throw new ConfigurationError(`${key} in ${path} is not a setting; expected one of ${[...known].join(', ')}`)
      return [key, Array.isArray(value) ? value.join(',') : String(value)]
    }),
  )
}
