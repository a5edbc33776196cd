import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Command } from 'commander'

const program = join(import.meta.dirname, '..', 'main', 'serve.ts')

/** `hubward serve …`: the service itself, with its own options; ends with its exit code. */
export function serveCommand(parent: Command): void {
  parent
    .command('serve')
    .description('Run the service; its options are those of docs/configuration.md')
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .action(async (_, self: Command) => {
      const { data } = self.optsWithGlobals<{ data: string }>()
      const child = spawn(process.execPath, [program, '--data', data, ...self.args], { stdio: 'inherit' })
      // A terminal interrupts both; told twice, the service would not end in good order.
      process.on('SIGINT', () => {})
      process.on('SIGTERM', (signal) => child.kill(signal))
      const [code] = (await once(child, 'exit')) as [number | null]
      process.exitCode = code ?? 1
    })
}
