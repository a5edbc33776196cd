import { Command } from 'commander'
import { readFacts, type CommonOptions, type Facts } from './common-options.ts'
import { openSession, type ApiSession } from './api-session.ts'

/** What a command's action is given. */
export interface Run<O> {
  readonly options: O & CommonOptions
  readonly session: ApiSession
  readonly facts: Facts
}

/** A group of commands, such as `instance`. */
export function group(name: string, description: string): Command {
  return new Command(name).description(description).action((_, command: Command) => command.help({ error: true }))
}

/** A command that speaks to a running service. Options are added to what is returned; `O` is what they come to. */
export function command<O = object>(
  parent: Command,
  usage: string,
  description: string,
  action: (run: Run<O>, ...given: readonly string[]) => Promise<void>,
): Command {
  return parent
    .command(usage)
    .description(description)
    .action(async (...given: unknown[]) => {
      const self = given.pop() as Command
      const options = self.optsWithGlobals<O & CommonOptions>()
      const facts = readFacts(options, process.env)
      await action({ options, facts, session: openSession(options, facts) }, ...given.slice(0, -1).map(String))
    })
}

/** Reads `true` or `false`, as `az` takes them. */
export function flag(text: string): boolean {
  return text.toLowerCase() === 'true'
}
