import type { Random } from '../engine/random.ts'
import type { Step } from './conversation.ts'

const opcode = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** Bytes as a client's frames, and whether some frame breaks RFC 6455 so that the connection has to end. */
export function writeFrames(random: Random, bytes: Buffer): { frames: readonly Step[]; broken: boolean } {
  const frames: Step[] = []
  const add = (code: number, content: Buffer, final: boolean, times = 1): void =>
    void frames.push({ bytes: frame(random, code, content, final), times })
  for (let at = 0; at < bytes.length && frames.length < 400;) {
    const message = bytes.subarray(at, (at += random.int(1, 1 + random.size(2000))))
    const cut = random.int(0, message.length)
    switch (random.int(0, 5)) {
      case 0: // in two fragments, with something between them
        add(opcode.binary, message.subarray(0, cut), false)
        if (random.once(2)) add(random.pick([opcode.ping, opcode.pong]), random.bytes(random.int(0, 125)), true)
        if (random.once(3)) add(opcode.more, Buffer.alloc(0), false, 2 ** random.int(0, 17))
        add(opcode.more, message.subarray(cut), true)
        break
      case 1:
        add(opcode.ping, random.bytes(random.int(0, 125)), true, random.size(64))
        add(opcode.binary, message, true)
        break
      case 2: // nothing, and nothing, and nothing
        add(opcode.binary, Buffer.alloc(0), true, random.size(1024))
        add(opcode.binary, message, true)
        break
      default:
        add(opcode.binary, message, true)
    }
  }
  const broken = random.once(4)
  if (broken) frames.push({ bytes: breach(random), times: 1 })
  return { frames, broken }
}

/** A frame as clients write it: masked, and as long as it says. */
function frame(random: Random, code: number, content: Buffer, final: boolean): Buffer {
  const mask = random.bytes(4)
  const masked = Buffer.from(content.map((byte, at) => byte ^ mask[at & 3]!))
  return Buffer.concat([header(code, content.length, final, true), mask, masked])
}

function header(code: number, length: number, final: boolean, masked: boolean): Buffer {
  const first = (final ? 0x80 : 0) | code
  const bit = masked ? 0x80 : 0
  if (length < 126) return Buffer.from([first, bit | length])
  if (length < 65_536) return Buffer.from([first, bit | 126, length >> 8, length & 0xff])
  const head = Buffer.alloc(10)
  head[0] = first
  head[1] = bit | 127
  head.writeBigUInt64BE(BigInt(length), 2)
  return head
}

/** Frames that RFC 6455 forbids, each by another sentence. */
function breach(random: Random): Buffer {
  return random.pick([
    () => header(opcode.binary, 5, true, false), // not masked
    () => Buffer.from([0xf2, 0x80, 0, 0, 0, 0]), // reserved bits
    () => Buffer.from([0x80 | random.int(3, 7), 0x80, 0, 0, 0, 0]), // an opcode that is none
    () => frame(random, opcode.ping, Buffer.alloc(10), false), // a control frame in fragments
    () => header(opcode.ping, 300, true, true), // a control frame too long
    () => header(opcode.binary, 2 ** 40, true, true), // more than is taken
    () => frame(random, opcode.text, Buffer.from('text'), true), // no subprotocol here has text
    () => frame(random, opcode.close, Buffer.from([0, 1]), true), // a code that is none
  ])()
}
