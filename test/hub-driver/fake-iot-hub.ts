import { randomInt } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRoot } from '../fixtures/certificates.ts'
import { expectedSignature, parseSasToken, Secret } from './sas.ts'

type Json = Record<string, unknown>

/** What goes wrong with one call; `none` of it. `lost` answers nothing although the call was carried out. */
export type Fault =
  | { readonly status: number; readonly code: string; readonly retryAfter?: number }
  | 'none'
  | 'silence'
  | 'reset'
  | 'lost'

/** An IoT hub as its REST API was seen to behave, with errors that come when they are asked for. */
export interface FakeIotHub extends AsyncDisposable {
  readonly hostName: string
  readonly key: Secret
  readonly ca: string
  /** These calls, in this order, go wrong. */
  readonly fail: (...faults: readonly Fault[]) => void
  /** From now on every call is answered 503, or none is any more. */
  readonly beDown: (down: boolean) => void
  readonly connectionString: () => string
  /** `METHOD /path` of every call that came, with its time. */
  readonly calls: { readonly call: string; readonly at: number }[]
  /** From now on another key is the good one. */
  readonly rotate: () => Secret
  readonly devices: ReadonlyMap<string, Json>
}

/** The errors of the real service: the code in the header, and again in a JSON text. [service-wire §12.2] */
export const faults = {
  unauthorized: { status: 401, code: 'IotHubUnauthorizedAccess' },
  quota: { status: 403, code: 'IotHubQuotaExceeded' },
  precondition: { status: 412, code: 'PreconditionFailed' },
  throttled: { status: 429, code: 'ThrottlingException', retryAfter: 1 },
  failed: { status: 500, code: 'ServerError' },
  unavailable: { status: 503, code: 'ServiceUnavailable' },
} as const satisfies Record<string, Fault>

/** Opens the hub at this loopback address, on the one port that linked hubs have. */
export async function openFakeIotHub(hostName: string): Promise<FakeIotHub> {
  const authority = await createRoot('Fake IoT hub CA')
  const leaf = await authority.issueLeaf('fake-iot-hub', { usage: 'serverAuth', names: [hostName] })
  const devices = new Map<string, Json>()
  const twins = new Map<string, { tags: Json; properties: { desired: Json; reported: Json } }>()
  const waiting: Fault[] = []
  const calls: { call: string; at: number }[] = []
  let key = newKey()
  let isDown = false

  const answer = (outgoing: ServerResponse, status: number, body?: unknown, headers: Record<string, string> = {}) =>
    outgoing
      .writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers })
      .end(body === undefined ? '' : JSON.stringify(body))
  const refuse = (outgoing: ServerResponse, status: number, code: string, retryAfter?: number) =>
    answer(
      outgoing,
      status,
      { Message: `ErrorCode:${code};said by the fake`, ExceptionMessage: 'Tracking ID:0-G:0-TimeStamp:0' },
      { 'iothub-errorcode': code, ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }) },
    )
  const put = (identity: Json): Json => {
    const stored = { status: 'enabled', ...identity, etag: Buffer.from(String(randomInt(1e9))).toString('base64') }
    devices.set(String(identity['deviceId']), stored)
    return stored
  }

  const perform = (
    method: string,
    path: string,
    incoming: IncomingMessage,
    body: unknown,
    outgoing: ServerResponse,
  ) => {
    const [, family = '', encoded] = path.split('/')
    const id = decodeURIComponent(encoded ?? '')
    const known = devices.get(id)
    const ifMatch = String(incoming.headers['if-match'] ?? '').replaceAll('"', '')
    if (family === 'devices' && method === 'POST') {
      const [{ id: created, properties = {}, tags = {}, importMode: _, ...rest }] = body as [
        Json & { id: string; properties?: Json },
      ]
      if (devices.has(created)) {
        const error = { deviceId: created, errorCode: 'DeviceAlreadyExists', errorStatus: 'it exists' }
        return answer(outgoing, 400, { isSuccessful: false, errors: [error], warnings: [] })
      }
      put({ deviceId: created, ...rest })
      twins.set(created, { tags: tags as Json, properties: { desired: {}, reported: {}, ...properties } })
      return answer(outgoing, 200, { isSuccessful: true, errors: [], warnings: [] })
    }
    if (family === 'twins') {
      const twin = twins.get(id)
      if (!twin) return refuse(outgoing, 404, 'DeviceNotFound')
      if (method === 'PATCH') {
        const { tags, properties } = body as { tags?: Json; properties?: { desired?: Json } }
        Object.assign(twin.tags, tags)
        Object.assign(twin.properties.desired, properties?.desired)
      }
      return answer(outgoing, 200, { deviceId: id, ...twin })
    }
    switch (method) {
      case 'GET':
        return known ? answer(outgoing, 200, known) : refuse(outgoing, 404, 'DeviceNotFound')
      case 'PUT': {
        if (known && ifMatch === '') return refuse(outgoing, 409, 'DeviceAlreadyExists')
        if (!known && ifMatch !== '') return refuse(outgoing, 404, 'DeviceNotFound')
        if (known && ifMatch !== '*' && ifMatch !== known['etag']) return refuse(outgoing, 412, 'PreconditionFailed')
        if (!known) twins.set(id, { tags: {}, properties: { desired: {}, reported: {} } })
        return answer(outgoing, 200, put(body as Json))
      }
      default:
        if (!known) return refuse(outgoing, 404, 'DeviceNotFound')
        devices.delete(id)
        twins.delete(id)
        return answer(outgoing, 204)
    }
  }

  const server: Server = createServer({ key: leaf.key, cert: leaf.chain }, (incoming, outgoing) => {
    let text = ''
    incoming.on('data', (part: Buffer) => (text += part.toString()))
    incoming.on('end', () => {
      const [path = ''] = (incoming.url ?? '').split('?')
      const method = incoming.method ?? ''
      calls.push({ call: `${method} ${path}`, at: Date.now() })
      const token = parseSasToken(incoming.headers.authorization ?? '')
      if (!token || !expectedSignature(token, key).equals(token.signature)) {
        return refuse(outgoing, 401, 'IotHubUnauthorizedAccess')
      }
      const fault: Fault | undefined = isDown ? faults.unavailable : waiting.shift()
      if (fault === 'silence') return
      if (fault === 'reset') return incoming.socket.destroy()
      if (typeof fault === 'object') return refuse(outgoing, fault.status, fault.code, fault.retryAfter)
      if (fault === 'lost') outgoing.end = () => (incoming.socket.destroy(), outgoing)
      perform(method, path, incoming, text === '' ? undefined : JSON.parse(text), outgoing)
    })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(443, hostName, resolve))

  return {
    hostName,
    get key() {
      return key
    },
    ca: authority.certificate,
    fail: (...asked) => void waiting.push(...asked),
    beDown: (down) => void (isDown = down),
    connectionString: () =>
      `HostName=${hostName};SharedAccessKeyName=iothubowner;SharedAccessKey=${key.revealBase64()}`,
    calls,
    rotate: () => (key = newKey()),
    devices,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function newKey(): Secret {
  return new Secret(Buffer.from(Array.from({ length: 32 }, () => randomInt(256))))
}
