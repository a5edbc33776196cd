import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CommandFailure } from './failure.ts'

/** The options that every command takes. */
export interface CommonOptions {
  readonly data: string
  readonly endpoint?: string
  readonly token?: string
  readonly caFile?: string
  readonly login?: string
  readonly dpsName: string
  readonly output: 'json' | 'table'
}

/** A fact that the service tells of itself, such as `MANAGEMENT_ENDPOINT`; undefined if nobody says. */
export type Facts = (name: string) => string | undefined

/** Facts from the environment, else from the `connection.env` of the data folder. */
export function readFacts({ data }: CommonOptions, environment: Readonly<NodeJS.ProcessEnv>): Facts {
  const file = join(resolve(data), 'connection.env')
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return (name) =>
    environment[`HUBWARD_${name}`] ?? new RegExp(`^HUBWARD_${name}='(.*)'$`, 'm').exec(text)?.[1] ?? undefined
}

/** The file's text. Throws a Failure that names the option it came from. */
export function readText(path: string, option: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandFailure(`${option} ${path} cannot be read: ${why}`)
  }
}
