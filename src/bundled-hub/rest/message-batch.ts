import { isJsonObject, type Json, parseJson } from '../../base/json.ts'
import { HubRefusal } from '../hub-refusal.ts'
import { propertyBag } from '../property-bag.ts'
import { largestTelemetry } from '../telemetry.ts'
import { systemHeaders, applicationHeader } from './message-headers.ts'

/** The content type of many messages in one request. */
export const batchType = 'application/vnd.microsoft.iothub.json'

/** A message of a batch: its body, and its property bag. */
export interface BatchedMessage {
  readonly properties: string
  readonly body: Buffer
}

const most = 1000

/**
 * The messages of a list of `{body, base64Encoded, properties}`; bodies are base64 unless `base64Encoded` is false, and properties
 * are named as headers are. Refuses with ArgumentInvalid and MessageTooLarge, and then keeps none. [service-wire §13.4]
 */
export function readBatch(bytes: Buffer): BatchedMessage[] {
  const items = parseJson(bytes.toString('utf8'))
  if (!Array.isArray(items) || items.length === 0 || items.length > most)
    throw new HubRefusal('ArgumentInvalid', `the body is not a list of 1 to ${most} messages`)
  return items.map((item: Json, index) => {
    if (!isJsonObject(item) || typeof item['body'] !== 'string') throw malformed(index, 'has no body that is a text')
    const body = Buffer.from(item['body'], item['base64Encoded'] === false ? 'utf8' : 'base64')
    if (body.length > largestTelemetry) throw new HubRefusal('MessageTooLarge', `message ${index} is too large`)
    const properties = item['properties'] ?? {}
    if (!isJsonObject(properties)) throw malformed(index, 'has properties that are not an object')
    return {
      body,
      properties: propertyBag(Object.entries(properties).map(([name, value]) => property(index, name, value))),
    }
  })
}

function property(index: number, name: string, value: Json | undefined): [string, string] {
  if (typeof value !== 'string') throw malformed(index, `has a property ${JSON.stringify(name)} that is not a text`)
  const header = name.toLowerCase()
  const system = systemHeaders.find(([one]) => one === header)
  if (system) return [system[1], value]
  return [header.startsWith(applicationHeader) ? name.slice(applicationHeader.length) : name, value]
}

function malformed(index: number, why: string): HubRefusal {
  return new HubRefusal('ArgumentInvalid', `message ${index} of the list ${why}`)
}
