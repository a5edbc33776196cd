import {
  asBinary,
  asDescribed,
  asList,
  asMap,
  asPlain,
  asText,
  asNumber,
  demand,
  values,
  type Plain,
} from './decoding.ts'
import { binary, described, list, map, nothing, string, symbol, timestamp, type Encoded } from './encoding.ts'

/** Descriptors of message sections. [AMQP-1.0 §3.2] */
const section = {
  messageAnnotations: 0x72,
  properties: 0x73,
  applicationProperties: 0x74,
  data: 0x75,
  value: 0x77,
} as const

/** A message that came in. */
export interface AmqpMessage {
  /** Those with text, numeric, boolean or UUID values. */
  readonly applicationProperties: ReadonlyMap<string, Plain>
  readonly annotations: ReadonlyMap<string, Plain>
  /** As they were encoded, so that they are echoed with their types. */
  readonly messageId?: Encoded | undefined
  readonly correlationId?: Encoded | undefined
  readonly userId?: Buffer | undefined
  readonly to?: string | undefined
  readonly replyTo?: string | undefined
  readonly contentType?: string | undefined
  readonly contentEncoding?: string | undefined
  /** Milliseconds since 1970. */
  readonly expires?: number | undefined
  readonly created?: number | undefined
  /** The data sections together, or the text or bytes of an amqp-value; empty without either. */
  readonly body: Buffer
  /** The data sections one by one: with `batchFormat`, each is a message. */
  readonly parts: readonly Buffer[]
  /** What the transfer said of it. */
  readonly format: number
}

/** The message format of a delivery whose data sections are messages. */
export const batchFormat = 0x80013700

/** A message that goes out. */
export interface OutgoingMessage {
  readonly annotations?: readonly (readonly [key: string, value: Encoded])[] | undefined
  readonly applicationProperties?: readonly (readonly [key: string, value: Encoded])[] | undefined
  readonly messageId?: Encoded | undefined
  readonly correlationId?: Encoded | undefined
  readonly userId?: Buffer | undefined
  readonly to?: string | undefined
  readonly contentType?: string | undefined
  readonly contentEncoding?: string | undefined
  /** Milliseconds since 1970. */
  readonly expires?: number | undefined
  readonly created?: number | undefined
  /** One data section, or a value. [device-wire §4.6] */
  readonly body: string | Buffer | { readonly value: Encoded }
}

/** Read a whole message. Throws ProtocolViolation. */
export function readMessage(bytes: Buffer, format = 0): AmqpMessage {
  let applicationProperties: ReadonlyMap<string, Plain> = new Map()
  let annotations: ReadonlyMap<string, Plain> = new Map()
  let properties: readonly Encoded[] = []
  let value: Buffer | undefined
  const parts: Buffer[] = []
  for (const encoded of values(bytes)) {
    const content = asDescribed(encoded)
    demand(content !== undefined, 'a message section has no descriptor')
    switch (content.descriptor) {
      case section.messageAnnotations:
        annotations = plainMap(content.value)
        break
      case section.properties:
        properties = asList(content.value) ?? []
        break
      case section.applicationProperties:
        applicationProperties = plainMap(content.value)
        break
      case section.data:
        parts.push(asBinary(content.value) ?? Buffer.alloc(0))
        break
      case section.value:
        value = asBinary(content.value) ?? Buffer.from(asText(content.value) ?? '')
    }
  }
  const body = value ?? (parts.length === 1 ? parts[0]! : Buffer.concat(parts))
  return { applicationProperties, annotations, ...readProperties(properties), body, parts, format }
}

/** Write a message; sections with nothing in them are left out. */
export function writeMessage(message: OutgoingMessage): Buffer {
  const { annotations = [], applicationProperties = [], body } = message
  return Buffer.concat([
    ...(annotations.length > 0 ? [described(section.messageAnnotations, entries(annotations, symbol))] : []),
    ...propertiesSection(message),
    ...(applicationProperties.length > 0
      ? [described(section.applicationProperties, entries(applicationProperties, string))]
      : []),
    typeof body === 'object' && 'value' in body
      ? described(section.value, body.value)
      : described(section.data, binary(Buffer.from(body))),
  ])
}

/** [AMQP-1.0 §3.2.4] */
function readProperties(fields: readonly Encoded[]) {
  const present = (field: Encoded | undefined): Encoded | undefined => (field?.[0] === nothing[0] ? undefined : field)
  return {
    messageId: present(fields[0]),
    userId: asBinary(fields[1]),
    to: asText(fields[2]),
    replyTo: asText(fields[4]),
    correlationId: present(fields[5]),
    contentType: asText(fields[6]),
    contentEncoding: asText(fields[7]),
    expires: asNumber(fields[8]),
    created: asNumber(fields[9]),
  }
}

function propertiesSection(message: OutgoingMessage): Encoded[] {
  const { userId, to, contentType, contentEncoding, expires, created } = message
  const fields = [
    message.messageId,
    userId && binary(userId),
    to === undefined ? undefined : string(to),
    undefined, // subject
    undefined, // reply-to
    message.correlationId,
    contentType === undefined ? undefined : symbol(contentType),
    contentEncoding === undefined ? undefined : symbol(contentEncoding),
    expires === undefined ? undefined : timestamp(expires),
    created === undefined ? undefined : timestamp(created),
  ]
  const last = fields.findLastIndex((field) => field !== undefined)
  if (last < 0) return []
  return [described(section.properties, list(fields.slice(0, last + 1).map((field) => field ?? nothing)))]
}

function plainMap(encoded: Encoded): ReadonlyMap<string, Plain> {
  const plain = new Map<string, Plain>()
  for (const [key, value] of asMap(encoded) ?? []) {
    const [name, content] = [asText(key), asPlain(value)]
    if (name !== undefined && content !== undefined) plain.set(name, content)
  }
  return plain
}

function entries(pairs: readonly (readonly [key: string, value: Encoded])[], key: (text: string) => Encoded): Encoded {
  return map(pairs.map(([name, value]) => [key(name), value] as const))
}
