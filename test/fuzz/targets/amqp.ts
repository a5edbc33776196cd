import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import type * as connectionModule from '../../../src/wire/amqp/connection.ts'
import type * as decodingModule from '../../../src/wire/amqp/decoding.ts'
import type * as encodingModule from '../../../src/wire/amqp/encoding.ts'
import type * as messageModule from '../../../src/wire/amqp/message.ts'
import type * as performativesModule from '../../../src/wire/amqp/performatives.ts'
import type { Encoded } from '../../../src/wire/amqp/encoding.ts'
import type { AmqpClient } from '../../../src/wire/amqp/service.ts'
import type { Random } from '../engine/random.ts'
import { orRefused, type Load, type MakeTargets, type Target } from '../engine/target.ts'

type Encoding = typeof encodingModule
type Decoding = typeof decodingModule
type Performatives = typeof performativesModule

/** AMQP: values, performatives, messages, and a connection in memory. */
export const amqpTargets: MakeTargets = async (load) => Promise.all([values(load), messages(load), connection(load)])

/** Frames as clients write them, with numbers, names and sizes that no client would. */
export function amqpWriter(encoding: Encoding, { writeFrame, code }: Performatives) {
  const { binary, boolean, described, int, list, map, nothing, string, symbol, ubyte, uint, ulong, ushort } = encoding

  const wide = (number: number): Encoded => {
    const bytes = Buffer.alloc(9, 0x80)
    bytes.writeBigUInt64BE(BigInt(number), 1)
    return bytes
  }
  const number = (random: Random): Encoded =>
    random.pick<() => Encoded>([
      () => uint(random.int(0, 5)),
      () => uint(random.int(0, 5)),
      () => wide(random.edge()),
      () => ushort(random.int(0, 65_535)),
      () => int(-random.int(0, 99)),
      () => ulong(random.int(0, 300)),
      () => nothing,
    ])()
  const value = (random: Random, depth = 3): Encoded =>
    random.pick<() => Encoded>([
      () => number(random),
      () => string(random.text()),
      () => symbol(random.text()),
      () => boolean(random.once(2)),
      () => binary(random.bytes(random.size(40))),
      () => (depth > 0 ? list(random.many(4, () => value(random, depth - 1))) : nothing),
      () =>
        depth > 0 ? map(random.many(3, () => [symbol(random.text(12)), value(random, depth - 1)] as const)) : nothing,
      () => (depth > 0 ? described(random.int(0, 0x78), value(random, depth - 1)) : nothing),
    ])()
  const terminus = (random: Random, descriptor: number): Encoded =>
    random.once(5)
      ? value(random)
      : described(descriptor, list([string(random.pick(['0ne000A0B1C/registrations/dev', random.text()]))]))
  const message = (random: Random): Encoded =>
    Buffer.concat([
      ...(random.once(2) ? [described(0x73, list([nothing, nothing, nothing, nothing, nothing, value(random)]))] : []),
      ...(random.once(2)
        ? [described(0x74, map(random.many(4, () => [string(random.text(20)), value(random)] as const)))]
        : []),
      described(random.pick([0x75, 0x77]), random.once(2) ? binary(random.bytes(random.size(60))) : value(random)),
    ])
  const fields: Readonly<Record<string, (random: Random) => readonly Encoded[]>> = {
    open: (random) => [string(random.text()), string(random.text()), number(random), number(random), number(random)],
    begin: (random) => [nothing, number(random), number(random), number(random)],
    attach: (random) => {
      const isReceiver = random.once(2)
      const [source, target] = [terminus(random, code.source), terminus(random, code.target)]
      const head = [string(random.text(20)), number(random), boolean(isReceiver), ubyte(random.int(0, 3)), ubyte(0)]
      const rest = [nothing, nothing, number(random), nothing, nothing, nothing, map([[symbol('k'), value(random)]])]
      return [...head, source, target, ...rest]
    },
    flow: (random) => Array.from({ length: 10 }, (_, at) => (at >= 8 ? boolean(random.once(2)) : number(random))),
    transfer: (random) => [
      uint(random.int(0, 2)),
      number(random),
      binary(Buffer.from([1])),
      uint(0),
      boolean(random.once(2)),
      boolean(random.once(3)),
    ],
    disposition: (random) => [boolean(random.once(2)), number(random), number(random)],
    detach: (random) => [number(random), boolean(true)],
    end: () => [],
    close: (random) => (random.once(2) ? [] : [value(random)]),
  }
  /** Frames of an opened connection, in an order that gets far. */
  const frame = (random: Random, kind: string = random.pick(Object.keys(fields))): Buffer => {
    const channel = random.once(6) ? random.int(0, 65_535) : 0
    const payload =
      kind === 'transfer'
        ? random.pick([() => message(random), () => random.bytes(random.size(30)), () => Buffer.alloc(0)])()
        : undefined
    return writeFrame(
      0,
      kind === 'open' || kind === 'close' ? 0 : channel,
      code[kind as keyof typeof code],
      fields[kind]!(random),
      payload,
    )
  }
  /** OPEN, BEGIN and two links, as plain as can be, so that what follows is looked at. */
  const opened = (): Buffer => {
    const link = (handle: number, receives: boolean) => [
      string(`l${handle}`),
      uint(handle),
      boolean(receives),
      ubyte(0),
      ubyte(0),
      described(code.source, list([string('0ne000A0B1C/registrations/dev')])),
      described(code.target, list([string('0ne000A0B1C/registrations/dev')])),
      nothing,
      nothing,
      uint(0),
    ]
    return Buffer.concat([
      writeFrame(0, 0, code.open, [string('me'), string('host')]),
      writeFrame(0, 0, code.begin, [nothing, uint(0), uint(2048), uint(2048)]),
      writeFrame(0, 0, code.attach, link(0, false)),
      writeFrame(0, 0, code.attach, link(1, true)),
    ])
  }
  return { value, message, frame, opened }
}

async function writerOf(load: Load) {
  return amqpWriter(
    await load<Encoding>('wire/amqp/encoding.ts'),
    await load<Performatives>('wire/amqp/performatives.ts'),
  )
}

async function values(load: Load): Promise<Target> {
  const decoding = await load<Decoding>('wire/amqp/decoding.ts')
  const { readPerformative, readAttach, readFlow, readTransfer, readDisposition } =
    await load<Performatives>('wire/amqp/performatives.ts')
  const { value, frame } = await writerOf(load)
  const refused = [decoding.ProtocolViolation]
  return {
    name: 'amqp-values',
    dictionary: ['c0', 'd0', 'c1', 'd1', 'f0', 'b0ffffffff', '0080', '005310', '005314', '80ffffffffffffffff'].map(
      (hex) => Buffer.from(hex, 'hex'),
    ),
    generate: (random) => (random.once(2) ? value(random) : frame(random).subarray(8)),
    check: (input) => {
      const encoded = orRefused(refused, () => [...decoding.values(input)]) ?? []
      assert.ok(encoded.reduce((sum, { length }) => sum + length, 0) <= input.length, 'no byte is read twice')
      for (const one of encoded)
        for (const as of [
          decoding.asDescribed,
          decoding.asList,
          decoding.asMap,
          decoding.asText,
          decoding.asBinary,
          decoding.asBoolean,
          decoding.asPlain,
        ])
          orRefused<unknown>(refused, () => as(one))
      for (const one of encoded) {
        const number = orRefused(refused, () => decoding.asNumber(one))
        assert.ok(number === undefined || Number.isSafeInteger(number))
      }
      const performative = orRefused(refused, () => readPerformative(input))
      for (const read of [readAttach, readFlow, readTransfer, readDisposition])
        orRefused<unknown>(refused, () => performative && read(performative.fields))
    },
  }
}

interface Rhea {
  readonly message: { readonly encode: (message: object) => Buffer }
  readonly types: { readonly wrap_ulong: (number: number) => unknown }
}

async function messages(load: Load): Promise<Target> {
  const { readMessage } = await load<typeof messageModule>('wire/amqp/message.ts')
  const { ProtocolViolation } = await load<Decoding>('wire/amqp/decoding.ts')
  const { message } = await writerOf(load)
  const rhea = createRequire(import.meta.url)('rhea') as Rhea
  return {
    name: 'amqp-message',
    dictionary: ['005373', '005374', '005375', '005377', 'a0', 'b0'].map((hex) => Buffer.from(hex, 'hex')),
    generate: (random) => {
      if (random.once(2)) return message(random)
      // Rhea's writing of a message is read as it was meant.
      const application_properties = { k: random.text().toWellFormed(), n: random.int(0, 99), b: random.once(2) }
      const bytes = rhea.message.encode({
        application_properties,
        correlation_id: 'c',
        body: random.text().toWellFormed(),
      })
      const read = readMessage(bytes)
      assert.deepEqual(Object.fromEntries(read.applicationProperties), application_properties)
      return bytes
    },
    check: (input) => {
      const read = orRefused([ProtocolViolation], () => readMessage(input))
      if (read) assert.ok(read.body.length <= input.length)
    },
  }
}

async function connection(load: Load): Promise<Target> {
  const { AmqpConnection } = await load<typeof connectionModule>('wire/amqp/connection.ts')
  const { writeMessage } = await load<typeof messageModule>('wire/amqp/message.ts')
  const { frame, opened } = await writerOf(load)
  const given = writeMessage({ body: 'given' })
  const head = Buffer.from('AMQP\0\x01\0\0', 'latin1')
  return {
    name: 'amqp-connection',
    dictionary: [head, Buffer.from('AMQP\x03\x01\0\0', 'latin1'), Buffer.from([0, 0, 0, 8, 2, 0, 0, 0])],
    generate: (random) => Buffer.concat([head, opened(), ...random.many(12, () => frame(random))]),
    check: async (input) => {
      const faults: unknown[] = []
      const nothing = () => undefined
      const stream = { send: nothing, destroy: nothing, end: nothing, pause: nothing, resume: nothing, unsent: () => 0 }
      const peer = { remoteAddress: '127.0.0.1', certificateChain: [] }
      const limits = { frameBytes: 65_536, messageBytes: 65_536, openTimeout: 60_000, idleTimeout: 60_000 }
      const client: AmqpClient = {
        takes: () => ({ take: async () => ({}) }),
        // Gives as much as it is asked for, and a little more than that.
        gives: (_, sender) => {
          void sender.send(given)
          return { ready: () => void (sender.free() > 0 && sender.send(given)) }
        },
        closed: nothing,
      }
      const service = { containerId: 'c', hostName: 'h', mechanisms: () => new Map(), open: () => client }
      const subject = new AmqpConnection(stream, peer, service, limits, (fault) => faults.push(fault))
      subject.receive(input)
      for (let turns = 0; turns < 6; turns++) await new Promise((resolve) => setImmediate(resolve))
      subject.destroy()
      subject.streamClosed()
      if (faults.length > 0) throw faults[0]
    },
  }
}
