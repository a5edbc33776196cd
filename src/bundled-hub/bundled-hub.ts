import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Database, type DatabaseOptions } from '../sqlite/database.ts'
import type { HttpApi } from '../wire/http.ts'
import type { MqttService } from '../wire/mqtt/connection.ts'
import { hubAmqp, type HubAmqp } from './amqp/service.ts'
import { Connections } from './connections.ts'
import { messagedDevices } from './cloud-to-device.ts'
import type { Hold, Hub } from './hub.ts'
import { startJobs } from './jobs/run.ts'
import { hubService } from './mqtt/connect.ts'
import { openPolicies } from './policy.ts'
import { hubApi } from './rest/api.ts'
import { migrations } from './schema.ts'
import { Telemetry } from './telemetry.ts'
import type { RefusedClient } from './turned-away.ts'

export interface BundledHubOptions {
  /** Where `hub.db` is, or is made. */
  readonly directory: string
  /** One hub each; a name or an address, without a port. */
  readonly hostNames: readonly string[]
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Told of what must not happen: the caller gets a plain 500, or a closed connection. */
  readonly onFault: (fault: unknown) => void
  /** Told of devices that were not let in; nobody is, unless said. */
  readonly onTurnedAway?: (turnedAway: RefusedClient) => void
  /** How many bytes of telemetry are kept for reading, of all hubs together; 256 MiB if not said. */
  readonly telemetryBytes?: number | undefined
  readonly database?: DatabaseOptions
}

/** Small IoT Hubs in one database; disposing it cuts every device and waits for the last write. */
export interface BundledHub extends HttpApi, AsyncDisposable {
  readonly hostNames: readonly string[]
  /** Those that were not there before. */
  readonly newHostNames: readonly string[]
  /** A service connection string, policy `iothubowner` if none is named; throws if there is no such hub or policy. */
  readonly connectionString: (hostName: string, keyName?: string) => string
  /** The REST API of the hub that the Host header names; never rejects. */
  readonly handle: HttpApi['handle']
  /** True if a request with this path is the hub's to answer. */
  readonly owns: HttpApi['owns']
  /** Settles when a write to the database was durable; rejects if none can be made now. */
  readonly tryWrite: () => Promise<void>
  /** The device side; undefined for a CONNECT whose user name does not begin with one of the host names. */
  readonly mqtt: MqttService
  /** Devices and services over AMQP. */
  readonly amqp: HubAmqp
}

const usualTelemetryBytes = 256 << 20

/** Open the hubs: what they acknowledged before is there, and new names become new hubs. */
export async function openBundledHub(options: BundledHubOptions): Promise<BundledHub> {
  const {
    directory,
    hostNames,
    clock,
    onFault,
    telemetryBytes = usualTelemetryBytes,
    onTurnedAway = () => {},
  } = options
  await mkdir(directory, { recursive: true })
  const database = Database.open(join(directory, 'hub.db'), migrations, options.database)
  const telemetry = new Telemetry(database, telemetryBytes)
  const hubs = new Map<string, Hub>()
  const newHostNames: string[] = []
  for (const hostName of hostNames) {
    const name = hostName.toLowerCase()
    const { policies, made } = await openPolicies(database, name)
    if (made) newHostNames.push(hostName)
    const messaged = messagedDevices(database, name)
    const live = { connections: new Connections(), held: new Map<number, Hold>() }
    hubs.set(name, { name, database, clock, policies, telemetry, messaged, onTurnedAway, onFault, ...live })
  }
  const jobs = Array.from(hubs.values(), startJobs)
  return {
    hostNames,
    newHostNames,
    connectionString: (hostName, keyName = 'iothubowner') => connectionString(hubs, hostName, keyName),
    ...hubApi(hubs, clock, onFault),
    tryWrite: () => database.write([]),
    mqtt: hubService(hubs),
    amqp: hubAmqp(hubs),
    [Symbol.asyncDispose]: async () => {
      for (const { connections } of hubs.values()) connections.closeAll()
      for (const running of jobs) await running[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

function connectionString(hubs: ReadonlyMap<string, Hub>, hostName: string, keyName: string): string {
  const policy = hubs.get(hostName.toLowerCase())?.policies.get(keyName.toLowerCase())
  if (!policy) throw new Error(`there is no hub ${hostName} with a policy ${keyName}`)
  return `HostName=${hostName};SharedAccessKeyName=${policy.name};SharedAccessKey=${policy.keys[0].reveal()}`
}
