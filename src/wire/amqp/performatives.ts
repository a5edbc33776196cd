import { asBoolean, asDescribed, asList, asMap, asText, asUnsigned, demand, firstValue } from './decoding.ts'
import { described, list, map, nothing, string, symbol, type Encoded } from './encoding.ts'

/** Descriptors of frame bodies, outcomes and termini. [AMQP-1.0 §2.7, §3.4, §3.5, §5.3.3] */
export const code = {
  open: 0x10,
  begin: 0x11,
  attach: 0x12,
  flow: 0x13,
  transfer: 0x14,
  disposition: 0x15,
  detach: 0x16,
  end: 0x17,
  close: 0x18,
  error: 0x1d,
  accepted: 0x24,
  rejected: 0x25,
  released: 0x26,
  modified: 0x27,
  source: 0x28,
  target: 0x29,
  saslMechanisms: 0x40,
  saslInit: 0x41,
  saslChallenge: 0x42,
  saslResponse: 0x43,
  saslOutcome: 0x44,
} as const

/** Why something is refused, detached or closed, as the peer is told. */
export interface AmqpError {
  readonly condition: string
  readonly description: string
  /** Written with symbol keys. */
  readonly info?: readonly (readonly [key: string, value: Encoded])[] | undefined
}

/** A frame body: which performative, its fields still encoded, and the payload behind it. */
export interface Performative {
  readonly code: number
  readonly fields: readonly Encoded[]
  readonly payload: Buffer
}

const names = new Map<number | string, number>([
  ...Object.values(code).map((number) => [number, number] as const),
  ...(['open', 'begin', 'attach', 'flow', 'transfer', 'disposition', 'detach', 'end', 'close'] as const).map(
    (name) => [`amqp:${name}:list`, code[name]] as const,
  ),
])

/** Read a frame's body. Throws ProtocolViolation. */
export function readPerformative(body: Buffer): Performative {
  const { value, rest } = firstValue(body)
  const performative = asDescribed(value)
  const number = performative && names.get(performative.descriptor)
  const fields = performative && asList(performative.value)
  demand(number !== undefined && fields !== undefined, 'the frame has no performative')
  return { code: number, fields, payload: rest }
}

const noPayload = Buffer.alloc(0)

/** How many fields each has. pyamqp, below the Event Hubs SDK for Python, finds the payload by counting on all of them. */
const fieldCounts = new Map<number, number>([
  [code.open, 10],
  [code.begin, 8],
  [code.attach, 14],
  [code.flow, 11],
  [code.transfer, 11],
  [code.disposition, 6],
  [code.detach, 3],
])

/** A frame around a performative; type 0 is AMQP, 1 is SASL. Absent fields are written as null. */
export function writeFrame(
  type: 0 | 1,
  channel: number,
  performative: number,
  fields: readonly (Encoded | undefined)[],
  payload: Buffer = noPayload,
): Buffer {
  const length = fieldCounts.get(performative) ?? fields.length
  const items = Array.from({ length }, (_, index) => fields[index] ?? nothing)
  const body = described(performative, list(items))
  const head = Buffer.from([0, 0, 0, 0, 2, type, 0, 0])
  head.writeUInt32BE(8 + body.length + payload.length, 0)
  head.writeUInt16BE(channel, 6)
  return Buffer.concat([head, body, payload])
}

/** A frame that only shows life. [AMQP-1.0 §2.4.5] */
export const emptyFrame: Buffer = Buffer.from([0, 0, 0, 8, 2, 0, 0, 0])

export function errorValue({ condition, description, info }: AmqpError): Encoded {
  const entries = info?.map(([key, value]) => [symbol(key), value] as const)
  const fields = [symbol(condition), string(description), ...(entries ? [map(entries)] : [])]
  return described(code.error, list(fields))
}

/** Characters of a link's name, address or property. */
const longestText = 1024

/** What a client says of a link it attaches. */
export interface Attach {
  readonly name: string
  readonly handle: number
  /** The client's end: it sends requests on one link and receives answers on another. */
  readonly client: 'sends' | 'receives'
  /** Of the service's end: the target that the client sends to, or the source that it receives from. */
  readonly address: string
  /** Of the client's own end. */
  readonly clientAddress: string
  readonly senderSettleMode: number
  readonly receiverSettleMode: number
  readonly source: Encoded
  readonly target: Encoded
  readonly initialDeliveryCount: number
  /** Those with text values. */
  readonly properties: ReadonlyMap<string, string>
}

/** Read ATTACH. Throws ProtocolViolation. [AMQP-1.0 §2.7.3] */
export function readAttach(fields: readonly Encoded[]): Attach {
  const [name, handle, role, senderMode, receiverMode, source = nothing, target = nothing] = fields
  const isReceiver = asBoolean(role)
  const text = asText(name)
  demand(text !== undefined && text.length <= longestText, 'ATTACH has no name, or a very long one')
  demand(isReceiver !== undefined, 'ATTACH has no role')
  return {
    name: text,
    handle: required(handle, 'the handle of ATTACH'),
    client: isReceiver ? 'receives' : 'sends',
    address: addressOf(isReceiver ? source : target),
    clientAddress: addressOf(isReceiver ? target : source),
    senderSettleMode: mode(senderMode, 2, 'snd-settle-mode') ?? 2,
    receiverSettleMode: mode(receiverMode, 1, 'rcv-settle-mode') ?? 0,
    source,
    target,
    initialDeliveryCount: asUnsigned(fields[9], 'uint', 'initial-delivery-count') ?? 0,
    properties: textsOf(fields[13]),
  }
}

/** Bytes that are kept of a link. */
export function attachedBytes({ address, clientAddress, source, target, properties }: Attach): number {
  let texts = address.length + clientAddress.length + source.length + target.length
  for (const [name, text] of properties) texts += name.length + text.length
  return 2 * texts
}

function addressOf(terminus: Encoded): string {
  const [address] = asList(asDescribed(terminus)?.value ?? nothing) ?? []
  const text = asText(address) ?? ''
  demand(text.length <= longestText, 'an address is too long')
  return text
}

function textsOf(properties: Encoded | undefined): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  for (const [key, value] of asMap(properties ?? nothing) ?? []) {
    const [name, text] = [asText(key), asText(value)]
    if (name === undefined || text === undefined) continue
    demand(name.length <= longestText && text.length <= longestText, 'a property of a link is too long')
    texts.set(name, text)
  }
  return texts
}

/** FLOW, as far as a server acts on it. */
export interface Flow {
  /** Absent while the client has not seen our BEGIN. */
  readonly nextIncomingId: number | undefined
  readonly incomingWindow: number
  readonly handle: number | undefined
  readonly deliveryCount: number
  readonly linkCredit: number
  readonly drain: boolean
  readonly echo: boolean
}

/** Read FLOW. Throws ProtocolViolation. [AMQP-1.0 §2.7.4] */
export function readFlow(fields: readonly Encoded[]): Flow {
  return {
    nextIncomingId: asUnsigned(fields[0], 'uint', 'next-incoming-id'),
    incomingWindow: required(fields[1], 'the incoming-window of FLOW'),
    handle: asUnsigned(fields[4], 'uint', 'handle'),
    deliveryCount: asUnsigned(fields[5], 'uint', 'delivery-count') ?? 0,
    linkCredit: asUnsigned(fields[6], 'uint', 'link-credit') ?? 0,
    drain: asBoolean(fields[8]) ?? false,
    echo: asBoolean(fields[9]) ?? false,
  }
}

export interface Transfer {
  readonly handle: number
  /** Only on the first transfer of a delivery. */
  readonly deliveryId: number | undefined
  readonly format: number
  readonly settled: boolean
  readonly more: boolean
  readonly aborted: boolean
}

/** Read TRANSFER. Throws ProtocolViolation. [AMQP-1.0 §2.7.5] */
export function readTransfer(fields: readonly Encoded[]): Transfer {
  return {
    handle: required(fields[0], 'the handle of TRANSFER'),
    deliveryId: asUnsigned(fields[1], 'uint', 'delivery-id'),
    format: asUnsigned(fields[3], 'uint', 'message-format') ?? 0,
    settled: asBoolean(fields[4]) ?? false,
    more: asBoolean(fields[5]) ?? false,
    aborted: asBoolean(fields[9]) ?? false,
  }
}

/** What a client says of deliveries that it received, or sent. */
export interface Disposition {
  /** Whose deliveries they are. */
  readonly of: 'service' | 'client'
  readonly first: number
  readonly last: number
  readonly settled: boolean
  /** As it was encoded; absent: it says nothing of them yet. */
  readonly state: Encoded | undefined
  readonly outcome: 'accepted' | 'rejected' | 'released' | 'modified' | undefined
}

const outcomes = new Map<number | string, Disposition['outcome']>(
  (['accepted', 'rejected', 'released', 'modified'] as const).flatMap((name) => [
    [code[name], name],
    [`amqp:${name}:list`, name],
  ]),
)

/** Read DISPOSITION. Throws ProtocolViolation. [AMQP-1.0 §2.7.6] */
export function readDisposition(fields: readonly Encoded[]): Disposition {
  const first = required(fields[1], 'the first of DISPOSITION')
  const state = fields[4]
  const descriptor = state && asDescribed(state)?.descriptor
  return {
    of: asBoolean(fields[0]) === true ? 'service' : 'client',
    first,
    last: asUnsigned(fields[2], 'uint', 'the last of DISPOSITION') ?? first,
    settled: asBoolean(fields[3]) ?? false,
    state,
    outcome: descriptor === undefined ? undefined : outcomes.get(descriptor),
  }
}

/** A uint that must be there: a handle, a window, an ID. Throws ProtocolViolation. */
export function required(field: Encoded | undefined, what: string): number {
  const number = asUnsigned(field, 'uint', what)
  demand(number !== undefined, `${what} is missing`)
  return number
}

function mode(field: Encoded | undefined, highest: number, what: string): number | undefined {
  const number = asUnsigned(field, 'ubyte', what)
  demand(number === undefined || number <= highest, `${what} is ${number}`)
  return number
}
