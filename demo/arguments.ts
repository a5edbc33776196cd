import { parseArgs } from 'node:util'
import { readConfiguration, type Configuration } from '../src/main/configuration.ts'
import { settingEntries } from '../src/main/settings.ts'

/** A command line whose options are those of the service. */
export interface Arguments {
  readonly help: boolean
  /** The options as they were given, to hand on to a service. */
  readonly flags: readonly string[]
  /** Their names, without the dashes. */
  readonly named: ReadonlySet<string>
  readonly positionals: readonly string[]
  /** What the service makes of the options and the environment. */
  readonly configuration: Configuration
}

/** Reads it; throws an error with one sentence for an option that the service does not have, or a value that it does not take. */
export function readArguments(args: readonly string[]): Arguments {
  const known = ['config', ...settingEntries().map(([, { flag }]) => flag)]
  const options = Object.fromEntries(known.map((flag) => [flag, { type: 'string' as const }]))
  const help = { type: 'boolean' as const }
  const { values, positionals } = parseArgs({ args: [...args], options: { ...options, help }, allowPositionals: true })
  const given = Object.entries(values).filter(([flag]) => flag !== 'help')
  const flags = given.flatMap(([flag, value]) => [`--${flag}`, String(value)])
  return {
    help: values['help'] === true,
    flags,
    named: new Set(given.map(([flag]) => flag)),
    positionals,
    configuration: readConfiguration(flags, process.env),
  }
}
