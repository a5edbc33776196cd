import { isUtf8 } from 'node:buffer'
import type { Encoded } from './encoding.ts'

/** The peer broke the protocol; the connection closes with this condition. [AMQP-1.0 §2.8.15] */
export class ProtocolViolation extends Error {
  override readonly name = 'ProtocolViolation'
  readonly condition: string

  constructor(condition: string, message: string) {
    super(message)
    this.condition = condition
  }
}

/** Throws ProtocolViolation with `amqp:decode-error` unless the condition holds. */
export function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new ProtocolViolation('amqp:decode-error', what)
}

const deepestDescriptor = 4
/** Of a list that is expanded; the longest in the standard has 14, and SDKs send maps of a few entries. */
const mostItems = 256

/**
 * Cuts a buffer into its encoded values. No value is expanded before it is asked for, and an array never is, so reading costs
 * no more than the bytes that came. Throws ProtocolViolation.
 */
export function* values(bytes: Buffer): Generator<Encoded> {
  for (let at = 0; at < bytes.length;) {
    const end = endOf(bytes, at, deepestDescriptor)
    yield bytes.subarray(at, end)
    at = end
  }
}

/** The first value and what comes after it. Throws ProtocolViolation. */
export function firstValue(bytes: Buffer): { value: Encoded; rest: Buffer } {
  const end = endOf(bytes, 0, deepestDescriptor)
  return { value: bytes.subarray(0, end), rest: bytes.subarray(end) }
}

/** Where the value that begins at `at` ends. The constructor's high digit says how it is sized. [AMQP-1.0 §1.2] */
function endOf(bytes: Buffer, at: number, depth: number): number {
  const constructor = byteAt(bytes, at)
  if (constructor === 0) {
    demand(depth > 0, 'descriptors are nested too deeply')
    return endOf(bytes, endOf(bytes, at + 1, depth - 1), depth - 1)
  }
  const kind = constructor >> 4
  const end = at + 1 + widthOf(kind, bytes, at + 1)
  demand(end <= bytes.length, 'a value runs past the end')
  return end
}

function widthOf(kind: number, bytes: Buffer, at: number): number {
  if (kind === 4) return 0
  if (kind >= 5 && kind <= 9) return 2 ** (kind - 5)
  if (kind === 0xa || kind === 0xc || kind === 0xe) return 1 + byteAt(bytes, at)
  demand(kind === 0xb || kind === 0xd || kind === 0xf, 'no such type')
  demand(at + 4 <= bytes.length, 'a size runs past the end')
  return 4 + bytes.readUInt32BE(at)
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at]
  demand(byte !== undefined, 'a value is missing')
  return byte
}

/** A described value's descriptor, as a number or a symbol, and the value in it; undefined for a plain value. */
export function asDescribed(encoded: Encoded): { descriptor: number | string; value: Encoded } | undefined {
  if (encoded[0] !== 0) return undefined
  const { value: first, rest } = firstValue(encoded.subarray(1))
  const descriptor = asNumber(first) ?? asText(first)
  demand(descriptor !== undefined, 'a descriptor is neither a number nor a symbol')
  return { descriptor, value: rest }
}

/** The items of a list; undefined if it is none. */
export function asList(encoded: Encoded): Encoded[] | undefined {
  return encoded[0] === 0x45 ? [] : compound(encoded, 0xc0, 0xd0)
}

/** The entries of a map, in order; undefined if it is none. */
export function asMap(encoded: Encoded): [key: Encoded, value: Encoded][] | undefined {
  const items = compound(encoded, 0xc1, 0xd1)
  if (!items) return undefined
  demand(items.length % 2 === 0, 'a map has a key without a value')
  return Array.from({ length: items.length / 2 }, (_, at) => [items[at * 2]!, items[at * 2 + 1]!])
}

/** A string or symbol; undefined if it is neither. Throws ProtocolViolation for bytes that are no UTF-8. */
export function asText(encoded: Encoded | undefined): string | undefined {
  switch (encoded?.[0]) {
    case 0xa1:
    case 0xa3:
      return text(encoded.subarray(2))
    case 0xb1:
    case 0xb3:
      return text(encoded.subarray(5))
    default:
      return undefined
  }
}

export function asBinary(encoded: Encoded | undefined): Buffer | undefined {
  if (encoded?.[0] === 0xa0) return encoded.subarray(2)
  return encoded?.[0] === 0xb0 ? encoded.subarray(5) : undefined
}

export function asBoolean(encoded: Encoded | undefined): boolean | undefined {
  switch (encoded?.[0]) {
    case 0x41:
      return true
    case 0x42:
      return false
    case 0x56:
      return encoded[1] === 1
    default:
      return undefined
  }
}

/** An unsigned or signed whole number of any width, or a timestamp in milliseconds since 1970; undefined if it is none, or beyond what a number holds exactly. */
export function asNumber(encoded: Encoded | undefined): number | undefined {
  switch (encoded?.[0]) {
    case 0x43:
    case 0x44:
      return 0
    case 0x50:
    case 0x52:
    case 0x53:
      return encoded[1]
    case 0x51:
    case 0x54:
    case 0x55:
      return encoded.readInt8(1)
    case 0x60:
      return encoded.readUInt16BE(1)
    case 0x61:
      return encoded.readInt16BE(1)
    case 0x70:
      return encoded.readUInt32BE(1)
    case 0x71:
      return encoded.readInt32BE(1)
    case 0x80: {
      const number = Number(encoded.readBigUInt64BE(1))
      return Number.isSafeInteger(number) ? number : undefined
    }
    case 0x81:
    case 0x83: {
      const number = Number(encoded.readBigInt64BE(1))
      return Number.isSafeInteger(number) ? number : undefined
    }
    default:
      return undefined
  }
}

/** What simple values come to. */
export type Plain = string | number | boolean

/** A text, number, boolean or UUID; undefined if it is none, or a whole number beyond what a number holds exactly. */
export function asPlain(encoded: Encoded): Plain | undefined {
  switch (encoded[0]) {
    case 0x72:
      return encoded.readFloatBE(1)
    case 0x82:
      return encoded.readDoubleBE(1)
    case 0x98:
      return asUuid(encoded)
    default:
      return asText(encoded) ?? asNumber(encoded) ?? asBoolean(encoded)
  }
}

/** A UUID in its usual spelling; undefined if it is none. */
export function asUuid(encoded: Encoded | undefined): string | undefined {
  if (encoded?.[0] !== 0x98) return undefined
  return encoded.toString('hex', 1).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** The unsigned types by their largest value. [AMQP-1.0 §1.6] */
export const largest = { ubyte: 0xff, ushort: 0xffff, uint: 0xffffffff, ulong: Number.MAX_SAFE_INTEGER } as const

/**
 * A field of an unsigned type, in whatever width it was written; undefined if it is absent or null. Throws ProtocolViolation for
 * anything else, and for numbers that the type does not have.
 */
export function asUnsigned(encoded: Encoded | undefined, type: keyof typeof largest, what: string): number | undefined {
  if (encoded === undefined || isNothing(encoded)) return undefined
  const number = asNumber(encoded)
  demand(number !== undefined && number >= 0 && number <= largest[type], `${what} is no ${type}`)
  return number
}

function isNothing(encoded: Encoded | undefined): boolean {
  return encoded === undefined || encoded[0] === 0x40
}

function text(bytes: Buffer): string {
  demand(isUtf8(bytes), 'a text is no UTF-8')
  return bytes.toString('utf8')
}

function compound(encoded: Encoded, short: number, long: number): Encoded[] | undefined {
  if (encoded[0] !== short && encoded[0] !== long) return undefined
  const isShort = encoded[0] === short
  demand(encoded.length >= (isShort ? 3 : 9), 'a list or map has no count')
  const count = isShort ? encoded[2]! : encoded.readUInt32BE(5)
  demand(count <= mostItems, `a list or map counts ${count} items; the limit is ${mostItems}`)
  const items: Encoded[] = []
  for (const item of values(encoded.subarray(isShort ? 3 : 9))) {
    demand(items.push(item) <= count, `a list or map has more than the ${count} items it counts`)
  }
  demand(items.length === count, `a list or map counts ${count} items and has ${items.length}`)
  return items
}
