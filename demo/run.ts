import { constants } from 'node:os'
import { ensureNodeSdk } from '../sdk/install.ts'
import { openNodeRunner, type DeviceTransport } from '../sdk/runner.ts'
import { usage } from '../src/main/option-help.ts'
import { attestationKinds } from '../test/fixtures/enrollments.ts'
import { startService, type Service } from '../test/fixtures/service.ts'
import { readArguments } from './arguments.ts'
import { hardwareRows } from './hardware.ts'
import { journey, journeySettings } from './journey.ts'
import { provision } from './provision.ts'
import { printTable, type Row } from './table.ts'
import { tpmRows } from './tpm.ts'

const transports: readonly DeviceTransport[] = ['http', 'mqtt', 'mqtt-ws', 'amqp', 'amqp-ws']

const head = `npm run demo -- [options]

Starts a service of its own, provisions devices of every kind over every transport with the official Node SDK, and prints a table of
them. The options go to that service, but for its folder, names, addresses and ports, which the demo chooses.`

/** Those that the demo, or the SDKs that it shows, cannot leave to others. */
const chosen = ['data', 'listen', 'device-host', 'hub-names', 'https-port', 'mqtt-port', 'amqp-port']

/**
 * Start the service and show the devices; the exit code says whether all of them came through. When a signal interrupts it, what
 * it started is ended first.
 */
async function demo(args: readonly string[]): Promise<void> {
  await ensureNodeSdk()
  console.log('Starting the service with two bundled hubs, and the official Azure SDK for Node as devices …')
  const interrupted = interruption()
  interrupted.catch(() => undefined) // it may come before anybody waits for it
  await using service = await startService({ network: '127.0.0', args: [...journeySettings, ...args] })
  await Promise.race([show(service), interrupted])
}

function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => {
        process.exitCode = 128 + constants.signals[signal]
        reject(new Error(`The demo was ended by ${signal}.`))
      })
  })
}

/**
 * Enroll a device of every kind, and let each provision itself with the official Node SDK over every transport, connect to the hub
 * it is assigned to, and read its twin there.
 */
async function show(service: Service): Promise<void> {
  await using devices = await openNodeRunner({ caFile: service.caFile })

  const rows: Row[] = []
  for (const kind of attestationKinds) {
    for (const transport of transports) rows.push(await provision(kind, transport, service, devices))
  }
  rows.push(...(await tpmRows(service)))
  rows.push(...(await hardwareRows(service)))

  printTable(rows)
  const moved = await journey(service, devices, ['127.0.0.2', '127.0.0.3'])
  const failed = rows.filter(({ problem }) => problem !== undefined)
  console.log(`\n${rows.length - failed.length} of ${rows.length} rows are as they should be.`)
  if (failed.length > 0 || !moved) {
    process.exitCode = 1
    console.log(`\nWhat the service printed:\n${service.log()}`)
  }
}

function refuse(positionals: readonly string[], named: ReadonlySet<string>): void {
  if (positionals.length > 0) throw new Error(`The demo takes options only, not ${positionals.join(' ')}: see --help.`)
  const refused = chosen.filter((flag) => named.has(flag)).map((flag) => `--${flag}`)
  if (refused.length > 0) throw new Error(`The demo chooses ${refused.join(', ')} for its service: see --help.`)
}

try {
  const { help, flags, named, positionals } = readArguments(process.argv.slice(2))
  if (help) {
    process.stdout.write(usage(head))
  } else {
    refuse(positionals, named)
    await demo(flags)
  }
} catch (error) {
  process.exitCode ??= 1
  console.error(error instanceof Error ? error.message : error)
  // Whatever was under way is ended with this process.
  process.exit()
}
