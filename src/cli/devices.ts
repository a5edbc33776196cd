import { X509Certificate } from 'node:crypto'
import type { Command } from 'commander'
import { makeWithChain, readIssuer } from './certificate-making.ts'
import { command, group, type Run } from './command.ts'
import { CommandFailure } from './failure.ts'
import { readText } from './common-options.ts'
import { groupKey } from './keys.ts'
import { print, type Columns } from './print.ts'
import { hmac } from './api-session.ts'
import { simulate, type Simulation } from './simulation.ts'
import type { SimulatedProof } from './simulated-device.ts'
import { registerOverHttps } from './simulated-https.ts'
import { registerOverMqtt } from './simulated-mqtt.ts'

interface Wanted {
  readonly count: string
  readonly transport: string
  readonly concurrency: string
  readonly prefix: string
  readonly host?: string
  readonly port?: string
  readonly idScope?: string
  readonly enrollmentId?: string
  readonly key?: string
  readonly issuer?: string
}

const columns: Columns = {
  Devices: 'devices',
  Assigned: 'assigned',
  Failed: 'failed',
  'Per second': 'perSecond',
  'Median ms': 'medianMilliseconds',
  '99 % ms': 'percentile99Milliseconds',
  Hubs: 'hubs',
  Failures: 'failures',
}

/** `hubward device simulate`: devices of a group register, as many as you like. */
export function deviceCommands(): Command {
  const parent = group('device', 'Devices that are not there')
  command<Wanted>(parent, 'simulate', 'Register N devices of a group and say how it went', async (run) => {
    const summary = await simulate(await simulationOf(run), process.stderr)
    print(summary, columns, run.options)
    if (summary.failed > 0) {
      throw new CommandFailure(
        `${summary.failed} of ${summary.devices} devices were not assigned.`,
        `Ask why: hubward explain ${String(summary.firstFailed)}`,
      )
    }
  })
    .option('-c, --count <number>', 'how many', '10')
    .option('--transport <name>', 'mqtt or https', 'mqtt')
    .option('--concurrency <number>', 'how many at a time', '20')
    .option('--prefix <text>', 'their registration IDs are this and a number', 'sim-')
    .option('--eid, --enrollment-id <id>', 'the symmetric-key group; its key is asked for where --key does not say it')
    .option('--key <base64>', "the group's key")
    .option(
      '--issuer <file>',
      'X.509 instead: the CA that signs their certificates, its key beside it as <name>-key.pem',
    )
    .option('--host <name>', 'the device host (HUBWARD_DEVICE_HOST)')
    .option('--port <number>', 'its port for the transport')
    .option('--id-scope <text>', 'the instance (HUBWARD_ID_SCOPE)')
  return parent
}

async function simulationOf(run: Run<Wanted>): Promise<Simulation> {
  const { options, facts } = run
  const host = options.host ?? facts('DEVICE_HOST')
  const idScope = options.idScope ?? (await idScopeOf(run))
  if (host === undefined)
    throw new CommandFailure('Where do devices go?', 'Give --host, or --data of a running service.')
  const over = {
    mqtt: { register: registerOverMqtt, port: 'MQTT_PORT' },
    https: { register: registerOverHttps, port: 'HTTPS_PORT' },
  }
  const transport = options.transport === 'mqtt' || options.transport === 'https' ? over[options.transport] : undefined
  if (!transport) throw new CommandFailure(`There is no transport ${options.transport} here.`, 'Choose mqtt or https.')
  const caFile = options.caFile ?? facts('CA_FILE')
  const place = {
    host,
    port: Number(options.port ?? facts(transport.port)),
    idScope,
    ca: caFile === undefined ? undefined : readText(caFile, '--ca-file'),
  }
  const credentialOf = await credentials(run)
  return {
    count: whole(options.count, '--count'),
    concurrency: whole(options.concurrency, '--concurrency'),
    prefix: options.prefix,
    register: async (registrationId) => transport.register(place, registrationId, await credentialOf(registrationId)),
  }
}

async function credentials({ options, session }: Run<Wanted>): Promise<(id: string) => Promise<SimulatedProof>> {
  if (options.issuer !== undefined) {
    const issuer = readIssuer(options.issuer)
    if (!new X509Certificate(issuer.certificate).ca) throw new CommandFailure(`${options.issuer} is no CA.`)
    return async (commonName) => ({ certificate: await makeWithChain({ commonName, ca: false, days: 30, issuer }) })
  }
  const key =
    options.key ??
    (options.enrollmentId === undefined ? undefined : await groupKey(session.service, options.enrollmentId))
  if (key === undefined) {
    throw new CommandFailure(
      'Devices of which group?',
      'Give --enrollment-id of a symmetric-key group, or --key, or --issuer.',
    )
  }
  return async (registrationId) => ({ key: hmac(key, registrationId).toString('base64') })
}

async function idScopeOf({ options, session, facts }: Run<Wanted>): Promise<string> {
  const fact = facts('ID_SCOPE')
  if (fact !== undefined && options.dpsName === 'hubward') return fact
  return (await session.instance()).properties.idScope
}

function whole(text: string, option: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new CommandFailure(`${option} ${text} is no number of devices.`)
}
