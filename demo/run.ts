import { openNodeRunner, type DeviceTransport } from '../sdk/runner.ts'
import { attestationKinds } from '../test/fixtures/enrollments.ts'
import { startService } from '../test/fixtures/service.ts'
import { hardwareRows } from './hardware.ts'
import { journey, journeySettings } from './journey.ts'
import { provision } from './provision.ts'
import { printTable, type Row } from './table.ts'
import { tpmRows } from './tpm.ts'

const transports: readonly DeviceTransport[] = ['http', 'mqtt', 'mqtt-ws', 'amqp', 'amqp-ws']

/**
 * Start the service, enroll a device of every kind, and let each provision itself with the official Node SDK over every
 * transport, connect to the hub it is assigned to, and read its twin there. The exit code says whether all of them did.
 */
async function demo(): Promise<void> {
  console.log('Starting the service with two bundled hubs, and the official Azure SDK for Node as devices …')
  await using service = await startService({ network: '127.0.0', args: journeySettings })
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

await demo()
