import { createHmac } from 'node:crypto'
import { signSasToken } from '../wire/sas-token.ts'
import { CommandFailure } from './failure.ts'
import { readText, type CommonOptions, type Facts } from './common-options.ts'
import { exchange, type Response } from './https.ts'

/** A JSON object that an API answered with. */
export type JsonRecord = Readonly<Record<string, unknown>>

/** An instance as the control plane shows it. */
export interface ShownInstance extends JsonRecord {
  readonly id: string
  readonly name: string
  readonly etag: string
  readonly properties: JsonRecord & {
    readonly idScope: string
    readonly serviceOperationsHostName: string
    readonly deviceProvisioningHostName: string
    readonly iotHubs: readonly (JsonRecord & { readonly name: string; readonly connectionString: string })[]
  }
}

export interface CallOptions {
  readonly body?: unknown
  readonly ifMatch?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
}

/** What commands speak to: the two public APIs of a running service. */
export interface ApiSession {
  /** A call to the control plane; throws a Failure unless it succeeds. */
  readonly management: (method: string, path: string, options?: CallOptions) => Promise<Response>
  readonly instances: () => Promise<readonly ShownInstance[]>
  /** The instance that `--dps-name` names. */
  readonly instance: () => Promise<ShownInstance>
  /** A call to that instance's service operations endpoint; throws a Failure unless it succeeds. */
  readonly service: (method: string, path: string, options?: CallOptions) => Promise<Response>
}

export const subscription = '00000000-0000-0000-0000-000000000000'
const managementVersion = '2026-08-31'
const serviceVersion = '2021-10-01'
/** Seconds. */
const tokenLifetime = 600

/** Speak to the service that the options, the environment or a data folder tell of. Nothing is sent before a call. */
export function openSession(options: CommonOptions, facts: Facts): ApiSession {
  const caFile = options.caFile ?? facts('CA_FILE')
  const ca = caFile === undefined ? undefined : readText(caFile, '--ca-file')

  const management: ApiSession['management'] = async (method, path, call = {}) => {
    const { hostname, port } = endpointOf(options, facts)
    const authorization = `Bearer ${tokenOf(options, facts)}`
    const response = await exchange({
      ...written(method, versioned(path, managementVersion), call, authorization),
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(port || 443),
      ca,
    })
    return succeeded(response, options)
  }

  const instances = async () => {
    const path = `/subscriptions/${subscription}/providers/Microsoft.Devices/provisioningServices`
    return listOf<ShownInstance>(await management('GET', path))
  }

  const instance = async () => {
    const all = await instances()
    const found = all.find(({ name }) => name.toLowerCase() === options.dpsName.toLowerCase())
    if (found) return found
    const names = all.map(({ name }) => name).join(', ') || 'none that you may see'
    throw new CommandFailure(
      `There is no instance ${options.dpsName}.`,
      `There are: ${names}. Name one with --dps-name.`,
    )
  }

  const service: ApiSession['service'] = async (method, path, call = {}) => {
    const { connect, authorization } = await serviceAccess()
    const request = written(method, versioned(path, serviceVersion), call, authorization)
    const { host, port, hostName } = connect
    const headers = { ...request.headers, host: hostName }
    return succeeded(await exchange({ ...request, headers, host, port, servername: nameOf(hostName), ca }), options)
  }

  /** A connection string if one is given, as `az iot dps … --login` takes; else the bearer token of the control plane. */
  async function serviceAccess() {
    const login = options.login ?? (mayManage() ? undefined : facts('SERVICE_CONNECTION_STRING'))
    if (login !== undefined) {
      const { HostName = '', SharedAccessKeyName = '', SharedAccessKey = '' } = membersOf(login)
      const key = { hmac: (text: string) => hmac(SharedAccessKey, text) }
      const expiry = Math.floor(Date.now() / 1000) + tokenLifetime
      const authorization = signSasToken(HostName, key, expiry, SharedAccessKeyName)
      const [hostName = '', port] = HostName.split(':')
      return { connect: { host: hostName, hostName, port: Number(port ?? facts('HTTPS_PORT') ?? 443) }, authorization }
    }
    const { properties } = await instance()
    const hostName = properties.serviceOperationsHostName
    const host = properties.deviceProvisioningHostName
    const connect = { host, hostName, port: Number(facts('HTTPS_PORT') ?? 443) }
    return { connect, authorization: `Bearer ${tokenOf(options, facts)}` }
  }

  function mayManage(): boolean {
    return (options.token ?? facts('MANAGEMENT_TOKEN')) !== undefined
  }

  return { management, instances, instance, service }
}

/** The `value` of a list. */
export function listOf<T extends JsonRecord = JsonRecord>({ text }: Response): readonly T[] {
  const body = JSON.parse(text) as { value?: readonly T[] } | readonly T[]
  return Array.isArray(body) ? body : ((body as { value?: readonly T[] }).value ?? [])
}

/** The answer as an object. */
export function objectOf<T extends JsonRecord = JsonRecord>({ text }: Response): T {
  return (text === '' ? {} : JSON.parse(text)) as T
}

/** The members of a connection string. */
export function membersOf(connectionString: string): Record<string, string> {
  return Object.fromEntries(
    connectionString.split(';').map((member): [string, string] => {
      const at = member.indexOf('=') // only the first: keys end in one
      return [member.slice(0, at).trim(), member.slice(at + 1).trim()]
    }),
  )
}

/** HMAC-SHA256 under a base64 key. */
export function hmac(base64Key: string, text: string): Buffer {
  return createHmac('sha256', Buffer.from(base64Key, 'base64')).update(text).digest()
}

function endpointOf({ endpoint }: CommonOptions, facts: Facts): URL {
  const text = endpoint ?? facts('MANAGEMENT_ENDPOINT')
  const url = text === undefined ? undefined : URL.parse(text.includes('://') ? text : `https://${text}`)
  if (url) return url
  throw new CommandFailure(
    'Where the control plane is, nobody says.',
    'Run this where the data folder of a running service is (or name it with --data), or give --endpoint.',
  )
}

function tokenOf({ token }: CommonOptions, facts: Facts): string {
  const text = token ?? facts('MANAGEMENT_TOKEN')
  if (text !== undefined) return text
  throw new CommandFailure(
    'There is no token for the control plane.',
    'Set HUBWARD_MANAGEMENT_TOKEN or give --token. The first start shows the administrator\'s; "hubward serve --management-token renew" makes another.',
  )
}

function written(method: string, path: string, { body, ifMatch, headers }: CallOptions, authorization: string) {
  return {
    method,
    path,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: {
      authorization,
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(ifMatch !== undefined && { 'if-match': ifMatch }),
      ...headers,
    },
  }
}

function versioned(path: string, version: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}api-version=${version}`
}

/** SNI and the certificate's name; an address is neither sent nor needed. */
function nameOf(hostName: string): string | undefined {
  return /^[\d.]+$|:/.test(hostName) ? undefined : hostName
}

function succeeded(response: Response, { dpsName }: CommonOptions): Response {
  const { status, text } = response
  if (status < 300) return response
  const said = sentenceOf(text)
  const advice: Readonly<Record<number, string>> = {
    401: `Is the token or the connection string one of this service, and for ${dpsName}? A policy also needs the right for this.`,
    403: 'The token has no role that allows this; an Owner can give one with "hubward token create".',
    404: 'List what there is with the command\'s "list".',
    409: 'Read it again and decide; an update of what exists is "update".',
    412: 'Somebody changed it since: read it again for its present etag, or give --etag "*".',
    429: `Too many calls; try again in ${String(response.headers['retry-after'] ?? 'a few')} s.`,
  }
  throw new CommandFailure(`${said} (HTTP ${status})`, advice[status])
}

function sentenceOf(text: string): string {
  try {
    const { message, details, trackingId, info } = JSON.parse(text) as Record<string, unknown>
    const more = details ?? (typeof info === 'object' && info ? Object.values(info).join(', ') : undefined)
    const parts = [message, more === message ? undefined : more, trackingId && `tracking id ${String(trackingId)}`]
    return parts.filter(Boolean).join(' — ')
  } catch {
    return text.slice(0, 500) || 'No reason was given'
  }
}
