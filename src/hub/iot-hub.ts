import type { InitialTwin } from '../model/enrollment.ts'
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Secret } from '../base/secret.ts'
import type { LinkedHub } from '../model/service.ts'
import type { Clock } from '../base/time.ts'
import { parseJson } from '../base/json.ts'
import { signSasToken } from '../wire/sas-token.ts'
import { withBackoff, type Patience } from './backoff.ts'
import { retryAfterOf } from './retry-after.ts'

/** The registry and the twins of one linked IoT hub, over its service REST API. [service-wire §12.2] */
export interface IotHub {
  readonly hostName: string
  /** undefined if the hub has no such device. */
  readonly device: (deviceId: string) => Promise<DeviceIdentity | undefined>
  /** undefined if the device exists already. */
  readonly create: (identity: DeviceIdentity) => Promise<DeviceIdentity | undefined>
  /** Replace the identity that was read; undefined if it has changed or gone since. */
  readonly replace: (identity: DeviceIdentity) => Promise<DeviceIdentity | undefined>
  /** Removing what is not there is done already. */
  readonly remove: (deviceId: string) => Promise<void>
  readonly twin: (deviceId: string) => Promise<HubTwin | undefined>
  readonly mergeTwin: (deviceId: string, twin: InitialTwin) => Promise<void>
  /** Create a device with its whole twin, reported properties too; false if the device exists already. */
  readonly createWithTwin: (identity: DeviceIdentity, twin: TwinData) => Promise<boolean>
}

/** An identity as the registry has it; members that we do not know are kept. */
export interface DeviceIdentity extends JsonObject {
  readonly deviceId: string
  readonly etag?: string
  readonly authentication: DeviceAuthentication
  readonly capabilities?: { readonly iotEdge: boolean }
}

export interface DeviceAuthentication extends JsonObject {
  readonly type: 'sas' | 'selfSigned' | 'certificateAuthority' | 'none'
  readonly symmetricKey?: { readonly primaryKey?: string | null; readonly secondaryKey?: string | null }
  readonly x509Thumbprint?: { readonly primaryThumbprint?: string | null; readonly secondaryThumbprint?: string | null }
}

export interface HubTwin extends JsonObject {
  readonly tags?: JsonObject | undefined
  readonly properties?: { readonly desired?: JsonObject | undefined; readonly reported?: JsonObject | undefined }
}

/** A twin's content, without versions and metadata. */
export interface TwinData {
  readonly tags?: JsonObject | undefined
  readonly desired?: JsonObject | undefined
  readonly reported?: JsonObject | undefined
}

export interface HubRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** If its key is refused, the request is made again with another. */
  readonly another?: boolean
  /** Made to find out whether the hub can be called at all. */
  readonly probe?: boolean
}

export interface HubResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** How a request reaches a hub: HTTPS, or a call where the hub lives in this process. Rejects if no answer came. */
export type HubTransport = (hostName: string, request: HubRequest) => Promise<HubResponse>

const apiVersion = '2021-04-12'
/** Seconds. */
const tokenLifetime = 3600

/** Speak to a linked hub. Throttling and outages are waited out as `patience` allows; what is left is a Refusal. */
export function iotHub(link: LinkedHub, transport: HubTransport, clock: Clock, patience: Patience): IotHub {
  let authorization = tokenFor(link, link.key, clock)
  let { previousKey } = link

  const call = (method: string, path: string, body?: Json, ifMatch?: string): Promise<Answer> =>
    withBackoff(patience, async () => {
      const ask = () =>
        transport(link.hostName, {
          method,
          path: `${path}?api-version=${apiVersion}`,
          headers: {
            authorization: authorization(),
            'content-type': 'application/json; charset=utf-8',
            ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
          },
          body: body === undefined ? '' : JSON.stringify(body),
          another: previousKey !== undefined,
        })
      const response = await ask()
      if (response.status !== 401 || !previousKey) return new Answer(link.hostName, `${method} ${path}`, response)
      // The link was given its next key before the hub was: until then the one before does.
      authorization = tokenFor(link, previousKey, clock)
      previousKey = undefined
      return new Answer(link.hostName, `${method} ${path}`, await ask())
    })

  return {
    hostName: link.hostName,

    device: async (deviceId) => {
      const answer = await call('GET', devicePath(deviceId))
      return answer.status === 404 ? undefined : answer.identity()
    },
    create: async (identity) => {
      const answer = await call('PUT', devicePath(identity.deviceId), identity)
      return answer.status === 409 ? undefined : answer.identity()
    },
    replace: async (identity) => {
      const answer = await call('PUT', devicePath(identity.deviceId), identity, `"${identity.etag ?? '*'}"`)
      return answer.status === 412 || answer.status === 404 ? undefined : answer.identity()
    },
    remove: async (deviceId) => {
      const answer = await call('DELETE', devicePath(deviceId), undefined, '"*"')
      if (answer.status !== 404) answer.json()
    },
    twin: async (deviceId) => {
      const answer = await call('GET', twinPath(deviceId))
      return answer.status === 404 ? undefined : answer.json()
    },
    mergeTwin: async (deviceId, twin) => {
      ;(await call('PATCH', twinPath(deviceId), { ...twin }, '"*"')).json()
    },
    createWithTwin: async ({ deviceId, authentication, capabilities }, { tags, desired, reported }) => {
      const entry = {
        id: deviceId,
        importMode: 'create',
        status: 'enabled',
        authentication,
        capabilities,
        tags,
        properties: { desired, reported },
      }
      const answer = await call('POST', '/devices', [entry])
      const result = answer.json([200, 400])
      if (result['isSuccessful'] === true) return true
      const [error] = Array.isArray(result['errors']) ? result['errors'] : []
      const code = isJsonObject(error) ? error['errorCode'] : undefined
      if (typeof code === 'string' && /AlreadyExists/i.test(code)) return false
      throw answer.refusal()
    },
  }
}

function devicePath(deviceId: string): string {
  return `/devices/${encodeURIComponent(deviceId)}`
}

function twinPath(deviceId: string): string {
  return `/twins/${encodeURIComponent(deviceId)}`
}

/** One token serves many calls; it is renewed in the second half of its life. */
function tokenFor({ hostName, keyName }: LinkedHub, key: Secret, clock: Clock): () => string {
  let token = ''
  let renewAt = 0
  return () => {
    const now = Math.floor(clock() / 1000)
    if (now >= renewAt) {
      token = signSasToken(hostName, key, now + tokenLifetime, keyName)
      renewAt = now + tokenLifetime / 2
    }
    return token
  }
}

/** What a hub said, and what that means to us when it is not what was asked for. */
class Answer {
  readonly status: number
  readonly #response: HubResponse
  readonly #hostName: string
  readonly #call: string

  constructor(hostName: string, call: string, response: HubResponse) {
    this.status = response.status
    this.#response = response
    this.#hostName = hostName
    this.#call = call
    if (response.status === 429 || response.status >= 500) throw this.refusal()
  }

  json(statuses: readonly number[] = [200, 204]): JsonObject {
    if (!statuses.includes(this.status)) throw this.refusal()
    if (this.#response.body === '') return {}
    const value = parseJson(this.#response.body)
    if (!isJsonObject(value)) throw this.refusal()
    return value
  }

  identity(): DeviceIdentity {
    const json = this.json()
    const { deviceId, authentication } = json
    if (typeof deviceId !== 'string' || !isJsonObject(authentication)) throw this.refusal()
    return json as DeviceIdentity
  }

  /** The device is shown the hub's own words, as the real service does. [device-wire §1.5] */
  refusal(): Refusal {
    const { status, headers, body } = this.#response
    const said = body.slice(0, 1000) || `HTTP ${status}`
    const detail = `${this.#hostName} answered ${this.#call} with ${status}: ${said}`
    if (status === 401) return new Refusal('HubUnauthorized', detail, { said })
    if (status === 429 || status >= 500) {
      return new Refusal('HubUnavailable', detail, { said, retryAfter: retryAfterOf(headers) })
    }
    return new Refusal('HubRefused', detail, { said })
  }
}
