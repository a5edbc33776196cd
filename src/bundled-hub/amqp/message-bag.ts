import { asPlain, asUuid, type Plain } from '../../wire/amqp/decoding.ts'
import { string, type Encoded } from '../../wire/amqp/encoding.ts'
import type { AmqpMessage, OutgoingMessage } from '../../wire/amqp/message.ts'
import { parsePropertyBag, propertyBag } from '../property-bag.ts'

/** Annotations that are properties of their own in a bag. [service-wire §13.2] */
const annotated = [
  ['iothub-interface-id', '$.ifid'],
  ['dt-subject', '$.sub'],
] as const

/** The properties of a message that came over AMQP, as they are kept. */
export function bagOf(message: AmqpMessage): string {
  const { applicationProperties, annotations } = message
  const system: (readonly [string, Plain | undefined])[] = [
    ['$.mid', idOf(message.messageId)],
    ['$.cid', idOf(message.correlationId)],
    ['$.uid', message.userId?.toString('utf8')],
    ['$.to', message.to],
    ['$.ct', message.contentType],
    ['$.ce', message.contentEncoding],
    ['$.exp', timeOf(message.expires)],
    ['$.ctime', timeOf(message.created)],
    ...annotated.map(([name, key]) => [key, annotations.get(name)] as const),
  ]
  const application = [...applicationProperties].map(
    ([name, value]) => [name === 'iothub-outputname' ? '$.on' : name, value] as const,
  )
  return propertyBag(
    [...system, ...application].flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as const],
    ),
  )
}

/** The parts of a message that goes out over AMQP, as its bag has them. */
export function messageOf(properties: string, body: Buffer): OutgoingMessage {
  const bag = parsePropertyBag(properties) ?? new Map<string, string | null>()
  const system = (key: string): string | undefined => bag.get(key) ?? undefined
  const id = (key: string): Encoded | undefined => {
    const text = system(key)
    return text === undefined ? undefined : string(text)
  }
  const userId = system('$.uid')
  return {
    messageId: id('$.mid'),
    correlationId: id('$.cid'),
    userId: userId === undefined ? undefined : Buffer.from(userId),
    to: system('$.to'),
    contentType: system('$.ct'),
    contentEncoding: system('$.ce'),
    expires: momentOf(system('$.exp')),
    created: momentOf(system('$.ctime')),
    annotations: annotated.flatMap(([name, key]) => {
      const text = system(key)
      return text === undefined ? [] : [[name, string(text)] as const]
    }),
    applicationProperties: [...bag]
      .filter(([name]) => !name.startsWith('$.'))
      .map(([name, value]) => [name, string(value ?? '')] as const),
    body,
  }
}

/** A message or correlation ID as text; SDKs send texts and UUIDs. */
export function idOf(encoded: Encoded | undefined): string | undefined {
  if (!encoded) return undefined
  const id = asUuid(encoded) ?? asPlain(encoded)
  return id === undefined ? undefined : String(id)
}

function timeOf(milliseconds: number | undefined): string | undefined {
  const moment = new Date(milliseconds ?? Number.NaN)
  return Number.isNaN(moment.getTime()) ? undefined : moment.toISOString()
}

function momentOf(text: string | undefined): number | undefined {
  const moment = Date.parse(text ?? '')
  return Number.isNaN(moment) ? undefined : moment
}
