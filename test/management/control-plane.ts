import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ensureNodeSdk } from '../../sdk/install.ts'
import { askHttps, type HttpsAnswer, type HttpsRequest } from '../fixtures/https.ts'
import { sasToken } from '../fixtures/sas.ts'
import { startService, type Service } from '../fixtures/service.ts'

/** The running product with its control plane. */
export interface ControlPlane extends AsyncDisposable {
  readonly service: Service
  readonly endpoint: string
  readonly host: string
  readonly port: number
  /** The administrator's token. */
  readonly token: string
  /** A call with the administrator's token, or another; the api-version is added. Fails unless the status is as expected. */
  readonly call: (method: string, path: string, options?: CallOptions) => Promise<HttpsAnswer>
  /** The path of an instance in the default subscription and resource group. */
  readonly path: (instance: string, rest?: string) => string
  /** Make an instance that answers under the host name, and say what it is reached by. */
  readonly createInstance: (name: string, properties?: object) => Promise<Tenant>
  /** A call to an instance's service operations endpoint. */
  readonly operate: (tenant: Tenant, method: string, path: string, options?: OperateOptions) => Promise<HttpsAnswer>
}

/** An instance and its owner's key. */
export interface Tenant {
  readonly name: string
  readonly idScope: string
  readonly hostName: string
  readonly key: string
}

export interface CallOptions {
  readonly body?: unknown
  readonly token?: string | null
  readonly ifMatch?: string
  /** 200, 201 and 204 pass unless this is given. */
  readonly expect?: number | undefined
}

export interface OperateOptions {
  readonly body?: unknown
  /** Instead of a shared access signature of the owner policy. */
  readonly authorization?: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly expect?: number
}

export const subscription = '00000000-0000-0000-0000-000000000000'
const provider = `/subscriptions/${subscription}/resourceGroups/hubward/providers/Microsoft.Devices/provisioningServices`

/** Starts the product on the addresses of this network, e.g. `127.80.1`. */
export async function openControlPlane(network: string, args: readonly string[] = []): Promise<ControlPlane> {
  const service = await startService({ network, args })
  const facts = await readFile(join(service.dataFolder, 'connection.env'), 'utf8')
  const fact = (name: string) => new RegExp(`^${name}='(.*)'$`, 'm').exec(facts)?.[1] ?? ''
  const endpoint = fact('HUBWARD_MANAGEMENT_ENDPOINT')
  const token = fact('HUBWARD_MANAGEMENT_TOKEN')
  const { hostname: host, port } = new URL(endpoint)
  const path = (instance: string, rest = '') => `${provider}/${instance}${rest}`

  const call: ControlPlane['call'] = async (method, at, options = {}) => {
    const { body, ifMatch, expect } = options
    const bearer = options.token === undefined ? token : options.token
    const request: HttpsRequest = {
      method,
      path: `${at}${at.includes('?') ? '&' : '?'}api-version=2022-12-12`,
      body,
      headers: {
        authorization: bearer === null ? undefined : `Bearer ${bearer}`,
        'if-match': ifMatch,
      },
    }
    return checked(request, await askHttps(host, Number(port), service.ca, request), expect)
  }

  return {
    service,
    endpoint,
    host,
    port: Number(port),
    token,
    call,
    path,
    createInstance: async (name, properties = {}) => {
      const body = { location: 'here', sku: { name: 'S1', capacity: 1 }, properties }
      const created = (await call('PUT', path(name), { body })).json()
      const { idScope, serviceOperationsHostName } = created['properties'] as Record<string, string>
      const keys = (await call('POST', path(name, '/listkeys'))).json()
      const [{ primaryKey }] = keys['value'] as [{ primaryKey: string }]
      return { name, idScope: idScope!, hostName: serviceOperationsHostName!, key: primaryKey }
    },
    operate: async (tenant, method, at, options = {}) => {
      const { hostName, key } = tenant
      const keyName = 'provisioningserviceowner'
      const authorization = options.authorization ?? sasToken(hostName, key, { keyName })
      const request: HttpsRequest = {
        method,
        path: `${at}${at.includes('?') ? '&' : '?'}api-version=2021-10-01`,
        body: options.body,
        headers: { authorization, host: hostName, ...options.headers },
      }
      return checked(
        request,
        await askHttps(service.deviceHost, service.ports.https, service.ca, request),
        options.expect,
      )
    },
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  }
}

/** What `@azure/arm-deviceprovisioningservices` exports, as far as a test uses it. */
export interface ManagementSdk {
  readonly IotDpsClient: new (credential: object, subscription: string, options: object) => SdkClient
}

/** The SDK's client: groups of operations, each a function. */
export type SdkClient = Readonly<Record<'iotDpsResource' | 'dpsCertificate' | 'operations', SdkGroup>>
export type SdkGroup = Readonly<Record<string, (...given: unknown[]) => unknown>>

/** The official management SDK, unmodified, pointed at this control plane with this token. */
export async function openSdk({ endpoint, service, token }: ControlPlane): Promise<SdkClient> {
  const require = createRequire(join(await ensureNodeSdk(), 'package.json'))
  const { IotDpsClient } = require('@azure/arm-deviceprovisioningservices') as ManagementSdk
  const credential = { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) }
  return new IotDpsClient(credential, subscription, { endpoint, tlsOptions: { ca: service.ca } })
}

function checked({ method, path }: HttpsRequest, answer: HttpsAnswer, expect: number | undefined): HttpsAnswer {
  const fine = expect === undefined ? [200, 201, 204].includes(answer.status) : answer.status === expect
  if (fine) return answer
  throw new Error(`${method} ${path} answered ${answer.status}, not ${expect ?? '2xx'}: ${answer.text}`)
}
