import { asBinary, asBoolean, asDescribed, asList, asMap, asNumber, asText, demand, values } from './decoding.ts'
import { binary, described, list, map, nothing, string, type Encoded } from './encoding.ts'

/** Descriptors of message sections. [AMQP-1.0 §3.2] */
const section = { properties: 0x73, applicationProperties: 0x74, data: 0x75, value: 0x77 } as const

/** A message that came in, as far as requests use it. */
export interface AmqpMessage {
  /** Those with text, whole-number or boolean values. */
  readonly applicationProperties: ReadonlyMap<string, string | number | boolean>
  /** As it was encoded, so that it is echoed with its type. */
  readonly correlationId?: Encoded | undefined
  /** The data sections together, or the text or bytes of an amqp-value; empty without either. */
  readonly body: Buffer
}

/** A message that goes out: always one data section. [device-wire §4.6] */
export interface AmqpReply {
  readonly applicationProperties: readonly (readonly [key: string, value: Encoded])[]
  readonly body: string
}

/** Read a whole message. Throws ProtocolViolation. */
export function readMessage(bytes: Buffer): AmqpMessage {
  const applicationProperties = new Map<string, string | number | boolean>()
  const parts: Buffer[] = []
  let correlationId: Encoded | undefined
  for (const encoded of values(bytes)) {
    const content = asDescribed(encoded)
    demand(content !== undefined, 'a message section has no descriptor')
    switch (content.descriptor) {
      case section.properties:
        correlationId = asList(content.value)?.[5]
        break
      case section.applicationProperties:
        for (const [key, value] of asMap(content.value) ?? []) {
          const [name, plain] = [asText(key), asText(value) ?? asNumber(value) ?? asBoolean(value)]
          if (name !== undefined && plain !== undefined) applicationProperties.set(name, plain)
        }
        break
      case section.data:
        parts.push(asBinary(content.value) ?? Buffer.alloc(0))
        break
      case section.value:
        parts.push(asBinary(content.value) ?? Buffer.from(asText(content.value) ?? ''))
    }
  }
  const body = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  return { applicationProperties, correlationId: correlationId?.[0] === 0x40 ? undefined : correlationId, body }
}

/** Write a reply to a message: its correlation ID, if it had one, and the reply's properties and body. */
export function writeReply(reply: AmqpReply, correlationId: Encoded | undefined): Buffer {
  const unused = [nothing, nothing, nothing, nothing, nothing] // message-id, user-id, to, subject, reply-to
  const properties = reply.applicationProperties.map(([key, value]) => [string(key), value] as const)
  return Buffer.concat([
    ...(correlationId ? [described(section.properties, list([...unused, correlationId]))] : []),
    ...(properties.length > 0 ? [described(section.applicationProperties, map(properties))] : []),
    described(section.data, binary(Buffer.from(reply.body))),
  ])
}
