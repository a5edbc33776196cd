/** A value in AMQP's own encoding, its constructor included. [AMQP-1.0 §1.2] */
export type Encoded = Buffer

export const nothing: Encoded = Buffer.from([0x40])

export function boolean(value: boolean): Encoded {
  return Buffer.from([value ? 0x41 : 0x42])
}

export function ubyte(value: number): Encoded {
  return Buffer.from([0x50, value])
}

export function ushort(value: number): Encoded {
  const bytes = Buffer.from([0x60, 0, 0])
  bytes.writeUInt16BE(value, 1)
  return bytes
}

export function uint(value: number): Encoded {
  if (value === 0) return Buffer.from([0x43])
  if (value < 256) return Buffer.from([0x52, value])
  const bytes = Buffer.from([0x70, 0, 0, 0, 0])
  bytes.writeUInt32BE(value, 1)
  return bytes
}

export function ulong(value: number): Encoded {
  const bytes = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0])
  bytes.writeBigUInt64BE(BigInt(value), 1)
  return bytes
}

export function int(value: number): Encoded {
  const bytes = Buffer.from([0x71, 0, 0, 0, 0])
  bytes.writeInt32BE(value, 1)
  return bytes
}

export function long(value: number | bigint): Encoded {
  const bytes = Buffer.from([0x81, 0, 0, 0, 0, 0, 0, 0, 0])
  bytes.writeBigInt64BE(BigInt(value), 1)
  return bytes
}

/** Milliseconds since 1970. */
export function timestamp(value: number): Encoded {
  const bytes = long(Math.trunc(value))
  bytes[0] = 0x83
  return bytes
}

/** 16 bytes. */
export function uuid(bytes: Buffer): Encoded {
  return Buffer.concat([Buffer.from([0x98]), bytes])
}

export function string(text: string): Encoded {
  return variable(0xa1, Buffer.from(text, 'utf8'))
}

export function symbol(text: string): Encoded {
  return variable(0xa3, Buffer.from(text, 'ascii'))
}

export function binary(bytes: Buffer): Encoded {
  return variable(0xa0, bytes)
}

/** An array of symbols, each up to 255 bytes. */
export function symbols(texts: readonly string[]): Encoded {
  return array(0xa3, texts)
}

/** An array of strings, each up to 255 bytes. */
export function strings(texts: readonly string[]): Encoded {
  return array(0xa1, texts)
}

function array(constructor: number, texts: readonly string[]): Encoded {
  const items = texts.map((text) => Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text, 'utf8')]))
  return compound(0xe0, 0xf0, texts.length, [Buffer.from([constructor]), ...items])
}

export function list(items: readonly Encoded[]): Encoded {
  return items.length === 0 ? Buffer.from([0x45]) : compound(0xc0, 0xd0, items.length, items)
}

export function map(entries: readonly (readonly [key: Encoded, value: Encoded])[]): Encoded {
  return compound(0xc1, 0xd1, entries.length * 2, entries.flat())
}

/** A value that a small numeric descriptor gives its meaning: performatives, outcomes, message sections. */
export function described(descriptor: number, value: Encoded): Encoded {
  return Buffer.concat([Buffer.from([0x00, 0x53, descriptor]), value])
}

function variable(constructor: number, bytes: Buffer): Encoded {
  if (bytes.length < 256) return Buffer.concat([Buffer.from([constructor, bytes.length]), bytes])
  const head = Buffer.from([constructor + 0x10, 0, 0, 0, 0])
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

/** The size counts what follows it, the count included. [AMQP-1.0 §1.2.2] */
function compound(short: number, long: number, count: number, parts: readonly Buffer[]): Encoded {
  const content = Buffer.concat(parts)
  if (content.length < 255 && count < 256)
    return Buffer.concat([Buffer.from([short, content.length + 1, count]), content])
  const head = Buffer.from([long, 0, 0, 0, 0, 0, 0, 0, 0])
  head.writeUInt32BE(content.length + 4, 1)
  head.writeUInt32BE(count, 5)
  return Buffer.concat([head, content])
}
