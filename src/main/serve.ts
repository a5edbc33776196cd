import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readConfiguration } from './configuration.ts'
import { holdDataFolder } from './data-folder.ts'
import { connectionFacts, portWarnings, welcome, writeConnectionFile } from './connection-file.ts'
import { openHubward } from './hubward.ts'
import { faultExitCode, uncaughtFault } from './last-resort.ts'
import { openLog } from './log.ts'
import { startFailure } from './start-failure.ts'
import { usage } from './option-help.ts'

/** Serve until the process is asked to stop. */
async function serve(): Promise<void> {
  const configuration = readConfiguration(process.argv.slice(2), process.env)
  const stopped = stopRequested()
  using _ = holdDataFolder(resolve(configuration.data))
  // Its presence says that the service is ready, so what an earlier run left goes first.
  rmSync(join(configuration.data, 'connection.env'), { force: true })

  const log = openLog(configuration.log)
  const broken = uncaughtFault(log)
  await using hubward = await openHubward(configuration, log)
  for (const warning of portWarnings(hubward, configuration)) log.warn(warning)
  const facts = connectionFacts(configuration, hubward)
  const file = writeConnectionFile(configuration.data, facts)
  process.stdout.write(welcome(facts, file, hubward, configuration))

  await Promise.race([stopped, broken])
  rmSync(file, { force: true })
  log.info('stopping: what is under way is finished first')
}

function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve())
    process.once('SIGTERM', () => resolve())
  })
}

const head = `npm start -- [options]

Runs the service. It prints what devices and operators need, and ends in good order when it is interrupted or terminated.`

try {
  if (process.argv.includes('--help')) process.stdout.write(usage(head))
  else await serve()
  // Whatever was left behind by what broke must not keep the process.
  if (process.exitCode === faultExitCode) process.exit()
} catch (error) {
  process.exitCode ??= 1
  process.stderr.write(`${startFailure(error)}\n`)
}
