import type { HttpRequest, HttpResponse } from '../../wire/http.ts'
import type { Hub } from '../hub.ts'
import { HubRefusal } from '../hub-refusal.ts'
import { clientOf } from '../identity.ts'
import type { Json } from '../../base/json.ts'
import { type Address, existing } from '../registry.ts'
import { bodyObject, ok } from './answer.ts'

const seconds = 1000
const longestPayload = 131_072
// The name is a level of a topic.
const name = /^[^/+#\0\s]{1,100}$/

/** POST /twins/{id}[/modules/{m}]/methods [service-wire §13.4] */
export async function invokeMethod(hub: Hub, address: Address, request: HttpRequest): Promise<HttpResponse> {
  const body = await bodyObject(request)
  const { methodName } = body
  if (typeof methodName !== 'string' || !name.test(methodName)) {
    throw new HubRefusal('ArgumentInvalid', 'methodName is not 1 to 100 characters without /, +, #')
  }
  const payload = JSON.stringify(body['payload'] ?? null)
  if (Buffer.byteLength(payload) > longestPayload) throw new HubRefusal('MessageTooLarge', 'the payload is too large')
  const connectTimeout = timeout(body['connectTimeoutInSeconds'], 'connectTimeoutInSeconds', 0, 0)
  const responseTimeout = timeout(body['responseTimeoutInSeconds'], 'responseTimeoutInSeconds', 5, 30)
  existing(hub, address)
  const connection = await hub.connections.whenTakingMethods(clientOf(address), connectTimeout)
  if (!connection) throw new HubRefusal('DeviceNotOnline', 'the device is not connected, or has no direct methods')
  const answer = await connection.invoke(methodName, payload, responseTimeout)
  if (!answer) throw new HubRefusal('GatewayTimeout', 'the device did not answer in time')
  return ok({ status: answer.status, payload: answer.payload })
}

function timeout(value: Json | undefined, member: string, least: number, otherwise: number): number {
  if (value === undefined || value === null) return otherwise * seconds
  if (typeof value === 'number' && value >= least && value <= 300) return value * seconds
  throw new HubRefusal('ArgumentInvalid', `${member} is not from ${least} to 300`)
}
