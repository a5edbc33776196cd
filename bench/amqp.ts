import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import { described, frame, header, long, nothing, symbol, text, uint, zero } from '../test/wire/amqp-client.ts'

const code = {
  open: 0x10,
  begin: 0x11,
  attach: 0x12,
  flow: 0x13,
  transfer: 0x14,
  close: 0x18,
  saslMechanisms: 0x40,
  saslInit: 0x41,
  saslChallenge: 0x42,
  saslResponse: 0x43,
  saslOutcome: 0x44,
} as const

/** Answers one SASL challenge with the response to it. */
export type Step = (challenge: Buffer) => Buffer

/**
 * One registration over AMQP as the Node SDK does it, waiting wherever that waits; gives the text of the answer. Without a
 * mechanism there is no SASL layer.
 */
export async function registerOverAmqp(
  socket: TLSSocket,
  address: string,
  sasl?: { readonly mechanism: string; readonly initial: Buffer; readonly step?: Step },
): Promise<string> {
  const peer = conversation(socket)
  if (sasl) {
    socket.write(header.sasl)
    await peer.header()
    await peer.frame(code.saslMechanisms)
    socket.write(frame(code.saslInit, [symbol(sasl.mechanism), long(sasl.initial)], { type: 1 }))
    for (;;) {
      const { code: found, body } = await peer.next()
      if (found === code.saslOutcome) break
      const challenge = binaryIn(body)
      socket.write(frame(code.saslResponse, [long(sasl.step?.(challenge) ?? Buffer.alloc(1))], { type: 1 }))
    }
  }
  socket.write(header.amqp)
  await peer.header()
  socket.write(frame(code.open, [text('bench')]))
  await peer.frame(code.open)
  socket.write(frame(code.begin, [nothing, zero, uint(2048), uint(2048)]))
  await peer.frame(code.begin)
  socket.write(link('receiver', zero, true, address))
  await peer.frame(code.attach)
  socket.write(frame(code.flow, [zero, uint(2048), zero, uint(2048), zero, zero, uint(100)]))
  socket.write(link('sender', uint(1), false, address))
  await peer.frame(code.flow)
  socket.write(frame(code.transfer, [uint(1), zero, text('0', 0xa0), zero], { payload: request }))
  const answer = await peer.frame(code.transfer)
  socket.write(frame(code.close, []))
  await peer.frame(code.close)
  socket.end()
  await once(socket.resume(), 'close')
  return answer.toString('latin1')
}

function link(name: string, handle: Buffer, receives: boolean, address: string): Buffer {
  const [source, target] = [described(0x28, [text(address)]), described(0x29, [text(address)])]
  const role = Buffer.from([receives ? 0x41 : 0x42])
  const properties = map([symbol('com.microsoft:api-version'), text('2019-03-31')])
  const unsaid = Array<Buffer>(6).fill(nothing)
  const count = receives ? nothing : zero
  const fields = [text(name), handle, role, nothing, nothing, source, target, ...unsaid, properties]
  return frame(code.attach, fields.with(9, count))
}

const request = Buffer.concat([
  section(0x73, described(0, [nothing, nothing, nothing, nothing, nothing, text('correlation')]).subarray(3)),
  section(0x74, map([text('iotdps-operation-type'), text('iotdps-register')])),
  section(0x75, text('{}', 0xa0)),
])

function section(descriptor: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0, 0x53, descriptor]), value])
}

function map(items: readonly Buffer[]): Buffer {
  const content = Buffer.concat(items)
  return Buffer.concat([Buffer.from([0xc1, content.length + 1, items.length]), content])
}

/** The only field of a SASL challenge, in whichever of the two sizes its list and it have. */
function binaryIn(body: Buffer): Buffer {
  const at = body[3] === 0xc0 ? 6 : 12
  return body.subarray(at + (body[at] === 0xb0 ? 5 : 2))
}

/** What the server says, cut into headers and frames. */
function conversation(socket: TLSSocket) {
  const chunks = socket.iterator({ destroyOnReturn: false })
  let held = Buffer.alloc(0)
  const take = async (length: number): Promise<Buffer> => {
    while (held.length < length) {
      const { value, done } = await chunks.next()
      if (done) throw new Error('the server closed the connection')
      held = Buffer.concat([held, value as Buffer])
    }
    const bytes = held.subarray(0, length)
    held = held.subarray(length)
    return bytes
  }
  const next = async () => {
    const size = (await take(4)).readUInt32BE()
    const body = await take(size - 4)
    return { code: body[6] ?? 0, body: body.subarray(4) }
  }
  return {
    next,
    header: () => take(8),
    frame: async (wanted: number) => {
      for (;;) {
        const { code: found, body } = await next()
        if (found === wanted) return body
        if (found === code.close) throw new Error(`closed: ${body.toString('latin1')}`)
      }
    },
  }
}
