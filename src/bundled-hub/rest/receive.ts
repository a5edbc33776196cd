import { randomUUID } from 'node:crypto'
import type { HttpRequest, HttpResponse } from '../../wire/http.ts'
import { completion, delivery, forgetSpent, waiting, type CloudToDeviceMessage } from '../cloud-to-device.ts'
import type { Hold, Hub } from '../hub.ts'
import { HubRefusal } from '../hub-refusal.ts'
import { parsePropertyBag } from '../property-bag.ts'
import { noContent } from './answer.ts'
import { applicationHeader, systemHeaders } from './message-headers.ts'

/** Milliseconds that a device has to settle a message before it may be delivered again. */
const lockLifetime = 60_000

/** GET /devices/{id}/messages/devicebound: the next message, and in `ETag` what settles it; or 204. [service-wire §13.4] */
export async function receive(hub: Hub, deviceId: string): Promise<HttpResponse> {
  const message = waiting(hub, deviceId, 0)[0]
  if (!message) return noContent
  const { sequence, properties, body } = message
  const hold = { deviceId, lock: { token: randomUUID(), properties } }
  hub.held.set(sequence, hold)
  try {
    await hub.database.write([delivery(sequence)])
  } catch (error) {
    hub.held.delete(sequence)
    throw error
  }
  setTimeout(() => {
    if (hub.held.get(sequence) === hold) void release(hub, deviceId, sequence).catch(hub.onFault)
  }, lockLifetime).unref()
  return { status: 200, headers: { ...headersOf(message), ETag: `"${hold.lock.token}"` }, body }
}

/** DELETE /devices/{id}/messages/devicebound/{lock}: the device has the message, or with `reject` will not have it. */
export async function complete(hub: Hub, deviceId: string, request: HttpRequest, token: string): Promise<HttpResponse> {
  const [sequence, { lock }] = locked(hub, deviceId, token)
  const fate = request.query.has('reject') ? 'Rejected' : 'Success'
  const properties = lock?.properties ?? ''
  await hub.database.write(completion(hub, deviceId, { sequence, properties }, fate))
  hub.held.delete(sequence)
  return noContent
}

/** POST /devices/{id}/messages/devicebound/{lock}/abandon: the message waits again. */
export async function abandon(hub: Hub, deviceId: string, token: string): Promise<HttpResponse> {
  const [sequence] = locked(hub, deviceId, token)
  await release(hub, deviceId, sequence)
  return noContent
}

async function release(hub: Hub, deviceId: string, sequence: number): Promise<void> {
  hub.held.delete(sequence)
  await hub.database.write(forgetSpent(hub, deviceId))
  hub.connections.get(deviceId)?.deliver()
}

function locked({ held }: Hub, deviceId: string, token: string): readonly [sequence: number, Hold] {
  const found = [...held].find(([, hold]) => hold.deviceId === deviceId && hold.lock?.token === token)
  if (found) return found
  throw new HubRefusal('DeviceMessageLockLost', 'no message of this device is held by this lock token')
}

function headersOf({ sequence, deliveries, properties }: CloudToDeviceMessage): Record<string, string> {
  const headers: [string, string][] = [
    ['iothub-sequencenumber', String(sequence)],
    ['iothub-deliverycount', String(deliveries)],
    ['Content-Type', 'application/octet-stream'],
  ]
  for (const [name, value = ''] of parsePropertyBag(properties) ?? [])
    headers.push([named.get(name) ?? applicationHeader + encodeURIComponent(name), headerValue(value ?? '')])
  return Object.fromEntries(headers)
}

const named = new Map<string, string>([
  ...systemHeaders.map(([header, name]) => [name, header] as const),
  ['$.to', 'iothub-to'],
  ['$.exp', 'iothub-expiry'],
])

const printable = /^[\x20-\x7e]*$/

/** Text that a header cannot carry as it is, in the form of RFC 2047. */
function headerValue(text: string): string {
  return printable.test(text) ? text : `=?utf-8?B?${Buffer.from(text).toString('base64')}?=`
}
