import { header, type HttpRequest, type HttpResponse } from '../../wire/http.ts'
import { cloudToDeviceLimits, enqueue, purgeCloudToDevice } from '../cloud-to-device.ts'
import type { Hub } from '../hub.ts'
import { HubRefusal } from '../hub-refusal.ts'
import { type Json, parseJson } from '../../base/json.ts'
import { parsePropertyBag, propertyBag } from '../property-bag.ts'
import { existing } from '../registry.ts'
import { largestTelemetry, type TelemetryMessage } from '../telemetry.ts'
import { bodyOf, bounded, noContent, ok } from './answer.ts'
import { batchType, readBatch } from './message-batch.ts'
import { applicationHeader, systemHeaders } from './message-headers.ts'

const mostMessages = 1000

/** POST /devices/{id}/messages/devicebound: queue a cloud-to-device message; the body is the payload. */
export async function sendCloudToDevice(hub: Hub, deviceId: string, request: HttpRequest): Promise<HttpResponse> {
  existing(hub, { deviceId, moduleId: '' })
  const expires = expiry(header(request, 'iothub-expiry')) ?? hub.clock() + cloudToDeviceLimits.lifetime
  // C# needs at least one property in the topic, and the cloud service always sends this one. [service-wire §13.2]
  const to: [string, string] = ['$.to', `/devices/${deviceId}/messages/devicebound`]
  const properties = propertyBag([to, ['$.exp', new Date(expires).toISOString()], ...propertiesOf(request)])
  await enqueue(hub, deviceId, { properties, body: await bodyOf(request), expires })
  return noContent
}

/** POST /devices/{id}/messages/events: telemetry over HTTPS, one message or a batch of them. */
export async function sendTelemetry(hub: Hub, deviceId: string, request: HttpRequest): Promise<HttpResponse> {
  const body = await bodyOf(request)
  const enqueued = hub.clock()
  if (header(request, 'content-type')?.split(';')[0]?.trim().toLowerCase() === batchType) {
    const messages = readBatch(body).map((message) => ({ deviceId, moduleId: '', enqueued, ...message }))
    await Promise.all(messages.map((message) => hub.telemetry.append(hub.name, message)))
    return noContent
  }
  if (body.length > largestTelemetry) throw new HubRefusal('MessageTooLarge', 'the message is too large')
  const properties = propertyBag(propertiesOf(request))
  const message = { deviceId, moduleId: '', enqueued, properties, body }
  await hub.telemetry.append(hub.name, message)
  return noContent
}

/** GET /devices/{id}/messages/events?after=&top=: what the device sent, oldest first; `after` is a message's `position`. */
export function readTelemetry(hub: Hub, deviceId: string, request: HttpRequest): HttpResponse {
  const after = request.query.get('after') ?? '0'
  if (!/^\d{1,15}$/.test(after)) throw new HubRefusal('ArgumentInvalid', 'after is not a position')
  const top = bounded(request.query.get('top'), 'top', 100, mostMessages)
  return ok({ messages: hub.telemetry.read(hub.name, deviceId, Number(after), top).map(messageJson) })
}

/** DELETE /devices/{id}/commands: forget what waits for the device. */
export async function purge(hub: Hub, deviceId: string): Promise<HttpResponse> {
  existing(hub, { deviceId, moduleId: '' })
  return ok({ deviceId, moduleId: null, totalMessagesPurged: await purgeCloudToDevice(hub, deviceId) })
}

function propertiesOf(request: HttpRequest): [string, string][] {
  const system = systemHeaders.flatMap(([name, key]): [string, string][] => {
    const value = header(request, name)
    return value === undefined ? [] : [[key, value]]
  })
  const application = Object.keys(request.headers)
    .filter((name) => name.startsWith(applicationHeader))
    .map((name): [string, string] => [name.slice(applicationHeader.length), header(request, name) ?? ''])
  return [...system, ...application]
}

function expiry(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const moment = Date.parse(text)
  if (Number.isNaN(moment)) throw new HubRefusal('ArgumentInvalid', 'iothub-expiry is not a moment in ISO 8601')
  return moment
}

/** JSON bodies as JSON, other text as text, the rest as base64. */
function messageJson({ position, moduleId, enqueued, properties, body }: TelemetryMessage): Json {
  const bag = [...(parsePropertyBag(properties) ?? [])]
  const isSystem = ([name]: readonly [string, unknown]): boolean => name.startsWith('$.') || name.startsWith('iothub-')
  return {
    position,
    enqueuedTime: new Date(enqueued).toISOString(),
    ...(moduleId === '' ? {} : { moduleId }),
    systemProperties: Object.fromEntries(bag.filter(isSystem)),
    properties: Object.fromEntries(bag.filter((entry) => !isSystem(entry))),
    ...bodyJson(body),
  }
}

function bodyJson(bytes: Buffer): { body: Json } | { bodyBase64: string } {
  const text = bytes.toString('utf8')
  if (text.includes('\ufffd')) return { bodyBase64: bytes.toString('base64') }
  return { body: parseJson(text) ?? text }
}
