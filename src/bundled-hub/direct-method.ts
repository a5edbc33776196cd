import type { Json, JsonObject } from '../base/json.ts'
import type { MethodAnswer } from './connections.ts'
import type { Hub } from './hub.ts'
import { HubRefusal } from './hub-refusal.ts'
import { clientOf } from './identity.ts'
import { type Address, existing } from './registry.ts'

/** A direct method as it is to be invoked; times in milliseconds. */
export interface DirectMethod {
  readonly name: string
  /** JSON. */
  readonly payload: string
  /** How long to wait for the device to connect, and for its answer. */
  readonly connectTimeout: number
  readonly responseTimeout: number
}

const seconds = 1000
const longestPayload = 131_072
// The name is a level of a topic.
const name = /^[^/+#\0\s]{1,100}$/

/** Read `{methodName, payload, …}`; refuses with ArgumentInvalid and MessageTooLarge. [service-wire §13.4] */
export function directMethod(body: JsonObject): DirectMethod {
  const { methodName } = body
  if (typeof methodName !== 'string' || !name.test(methodName)) {
    throw new HubRefusal('ArgumentInvalid', 'methodName is not 1 to 100 characters without /, +, #')
  }
  const payload = JSON.stringify(body['payload'] ?? null)
  if (Buffer.byteLength(payload) > longestPayload) throw new HubRefusal('MessageTooLarge', 'the payload is too large')
  return {
    name: methodName,
    payload,
    connectTimeout: timeout(body['connectTimeoutInSeconds'], 'connectTimeoutInSeconds', 0, 0),
    responseTimeout: timeout(body['responseTimeoutInSeconds'], 'responseTimeoutInSeconds', 5, 30),
  }
}

/** The device's answer; refuses with DeviceNotFound, DeviceNotOnline and GatewayTimeout. */
export async function invoke(hub: Hub, address: Address, method: DirectMethod): Promise<MethodAnswer> {
  existing(hub, address)
  const connection = await hub.connections.whenTakingMethods(clientOf(address), method.connectTimeout)
  if (!connection) throw new HubRefusal('DeviceNotOnline', 'the device is not connected, or has no direct methods')
  const answer = await connection.invoke(method.name, method.payload, method.responseTimeout)
  if (!answer) throw new HubRefusal('GatewayTimeout', 'the device did not answer in time')
  return answer
}

function timeout(value: Json | undefined, member: string, least: number, otherwise: number): number {
  if (value === undefined || value === null) return otherwise * seconds
  if (typeof value === 'number' && value >= least && value <= 300) return value * seconds
  throw new HubRefusal('ArgumentInvalid', `${member} is not from ${least} to 300`)
}
