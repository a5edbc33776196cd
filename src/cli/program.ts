import { Command, CommanderError, Option } from 'commander'
import { certificateCommands } from './certificates.ts'
import { deviceCommands } from './devices.ts'
import { enrollmentCommands, enrollmentGroupCommands } from './enrollments.ts'
import { explainCommand } from './explain.ts'
import { CommandFailure } from './failure.ts'
import { hubCommands } from './hub.ts'
import { instanceCommands } from './instances.ts'
import { issuerCommands } from './issuers.ts'
import { keyCommands } from './keys.ts'
import { linkedHubCommands } from './linked-hubs.ts'
import { policyCommands } from './policies.ts'
import { registrationCommands } from './registrations.ts'
import { revocationCommands } from './revoke.ts'
import { serveCommand } from './serve.ts'
import { tokenCommands } from './tokens.ts'
import { printable } from '../base/printable.ts'

const program = new Command('hubward')
  .description('Run and manage a Device Provisioning Service. Options are named as those of "az iot dps".')
  .option(
    '--data <folder>',
    'data folder of the service, whose connection.env tells where it is',
    process.env['HUBWARD_DATA'] ?? './data',
  )
  .option('--endpoint <url>', 'the control plane (HUBWARD_MANAGEMENT_ENDPOINT)')
  .option('--token <text>', 'bearer token (HUBWARD_MANAGEMENT_TOKEN)')
  .option('--ca-file <file>', 'the CA to trust (HUBWARD_CA_FILE)')
  .option('--login <connection string>', 'for the service API, instead of a token')
  .option('--dps-name <name>', 'the instance', 'hubward')
  .addOption(
    new Option('-o, --output <form>', 'how to print')
      .choices(['json', 'table'])
      .default(process.stdout.isTTY ? 'table' : 'json'),
  )
  .showHelpAfterError('(add --help for what there is)')

serveCommand(program)
for (const commands of [
  instanceCommands,
  enrollmentCommands,
  enrollmentGroupCommands,
  registrationCommands,
  certificateCommands,
  linkedHubCommands,
  hubCommands,
  policyCommands,
  keyCommands,
  revocationCommands,
  tokenCommands,
  issuerCommands,
  deviceCommands,
]) {
  program.addCommand(commands())
}
explainCommand(program)

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) throw error
  process.exitCode = 1
  if (!(error instanceof CommandFailure))
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  else
    for (const line of [error.message, error.next]) if (line !== undefined) process.stderr.write(`${printable(line)}\n`)
}
