import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { derivedKey, sasToken } from '../../fixtures/sas.ts'
import { connectionMembers, startService, type Service } from '../../fixtures/service.ts'
import { proxies, type Address, type Door } from './conversation.ts'
import type { FuzzedHub } from './hub.ts'

/** A running service that strangers talk to, and what shows that they did it no harm. */
export interface Subject extends AsyncDisposable {
  readonly service: Service
  readonly address: (door: Door) => Address
  /** The administrator's token of the control plane. */
  readonly token: string
  /** One of its bundled hubs. */
  readonly hub: FuzzedHub
  /** What is wrong with it by now, in words; undefined if nothing. */
  readonly fault: () => string | undefined
  readonly held: () => Held
  readonly beginPeak: () => void
  /** Start it again if it ended, and forget what was wrong. */
  readonly recover: () => Promise<void>
  /** A device that does nothing wrong registers; throws if it does not get its hub. */
  readonly registerHonestly: () => Promise<void>
}

/** What a process holds: bytes of memory, the most of them since `beginPeak`, and descriptors. */
export interface Held {
  readonly memory: number
  readonly peak: number
  readonly descriptors: number
}

const faultLine = /^.*(?:\b(?:ERROR|FATAL)\b|"level":[56]0|^ +at .+:\d+:\d+\)?$|unhandled|Uncaught).*$/m

/** Starts the service of the tree at `root` on this network. */
export async function openSubject(root: string, network: string, args: readonly string[] = []): Promise<Subject> {
  const program = join(root, 'src', 'main', 'serve.ts')
  let said: string | undefined
  const onPrint = (printed: string): void => void (said ??= faultLine.exec(printed)?.[0])
  const service = await startService({
    network,
    program,
    args: ['--proxy-peers', `${proxies}.0.0/16`, ...args],
    onPrint,
  })
  const facts = readFileSync(join(service.dataFolder, 'connection.env'), 'utf8')
  const fact = (name: string) => new RegExp(`^${name}='?(.*?)'?$`, 'm').exec(facts)?.[1] ?? ''
  const management = new URL(fact('HUBWARD_MANAGEMENT_ENDPOINT'))
  const groupKey = randomBytes(32).toString('base64')
  const symmetricKey = { primaryKey: groupKey, secondaryKey: randomBytes(32).toString('base64') }
  const body = { enrollmentGroupId: 'honest', attestation: { type: 'symmetricKey', symmetricKey } }
  await service.operate('PUT', '/enrollmentGroups/honest', body)
  const hub = await hubOf(service)
  let devices = 0
  return {
    service,
    hub,
    token: fact('HUBWARD_MANAGEMENT_TOKEN'),
    address: (door) =>
      door === 'management'
        ? { host: management.hostname, port: Number(management.port) }
        : { host: service.deviceHost, port: service.ports[door] },
    fault: () => {
      if (!service.running()) return `the process ended: ${service.log().slice(-1500)}`
      return said === undefined ? undefined : `a fault was logged: ${said}`
    },
    held: () => {
      const of = `/proc/${service.pid()}`
      const status = readFileSync(`${of}/status`, 'utf8')
      const bytes = (name: string) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0)
      return { memory: bytes('VmRSS'), peak: bytes('VmHWM'), descriptors: readdirSync(`${of}/fd`).length }
    },
    // The number that makes Linux begin a new peak. [proc_pid_clear_refs(5)]
    beginPeak: () => writeFileSync(`/proc/${service.pid()}/clear_refs`, '5'),
    recover: async () => {
      // One that still runs after a fault may be about to end.
      if (said !== undefined) await service.kill9()
      if (!service.running()) await service.restart()
      said = undefined
    },
    registerHonestly: async () => {
      const id = `honest-${++devices % 50}`
      const authorization = sasToken(`${service.idScope}/registrations/${id}`, derivedKey(groupKey, id), {
        keyName: 'registration',
      })
      const at = `/${service.idScope}/registrations/${id}`
      const ask = (method: string, path: string, given?: object) =>
        service.https({ method, path: `${path}?api-version=2021-06-01`, body: given, headers: { authorization } })
      let answer = await ask('PUT', `${at}/register`, { registrationId: id })
      for (let polls = 0; answer.status === 202 && polls < 20; polls++) {
        const { operationId } = answer.json()
        await new Promise((resolve) => setTimeout(resolve, 200))
        answer = await ask('GET', `${at}/operations/${String(operationId)}`)
      }
      if (answer.status !== 200 || answer.json()['status'] !== 'assigned')
        throw new Error(`an honest device was answered ${answer.status}: ${answer.text}`)
    },
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  }
}

/** As many devices as talk at once; what proves them holds for as long as anybody fuzzes. */
async function hubOf(service: Service): Promise<FuzzedHub> {
  const { HostName: hostName = '', SharedAccessKey: ownerKey = '' } = connectionMembers(
    service.hubConnectionStrings[0] ?? '',
  )
  const expiry = Math.floor(Date.now() / 1000) + 10 * 24 * 3600
  const devices = Array.from({ length: 8 }, (_, at) => {
    const key = randomBytes(32).toString('base64')
    const deviceId = `fuzzed-${at}`
    return { deviceId, key, token: sasToken(`${hostName}/devices/${deviceId}`, key, { expiry }) }
  })
  for (const { deviceId, key } of devices) {
    const symmetricKey = { primaryKey: key, secondaryKey: key }
    const { status } = await service.askHub(0, 'PUT', `/devices/${deviceId}`, {
      deviceId,
      authentication: { type: 'sas', symmetricKey },
    })
    if (status !== 200) throw new Error(`the hub answered ${status} to a new device`)
  }
  const token = sasToken(hostName, ownerKey, { keyName: 'iothubowner', expiry })
  return { hostName, devices, token }
}
