import type { Random } from './random.ts'

/** Longest input that mutation makes, in bytes. */
const longest = 65_536

/** Another input near this one: a few of the changes that break parsers, and now and then the words of the dictionary. */
export function mutated(
  random: Random,
  input: Buffer,
  pool: readonly Buffer[],
  dictionary: readonly (string | Buffer)[],
): Buffer {
  let bytes = Buffer.from(input)
  for (let changes = random.int(1, 4); changes > 0; changes--) {
    const at = random.int(0, bytes.length)
    const length = Math.min(random.size(64), bytes.length - at)
    switch (random.int(0, 8)) {
      case 0: // another bit
        if (at < bytes.length) bytes[at]! ^= 1 << random.int(0, 7)
        break
      case 1: // another byte
        if (at < bytes.length) bytes[at] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.int(0, 255)])
        break
      case 2: // something left out
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
        break
      case 3: // something said again, and again
        bytes = splice(bytes, at, Buffer.concat(Array(random.size(32)).fill(bytes.subarray(at, at + length))))
        break
      case 4: // something that was never there
        bytes = splice(bytes, at, random.bytes(random.size(16)))
        break
      case 5: // the end missing
        bytes = bytes.subarray(0, at)
        break
      case 6: // half of another input
        bytes = Buffer.concat([bytes.subarray(0, at), tail(random, random.pick(pool))])
        break
      case 7: // a word of the language
        if (dictionary.length > 0) bytes = splice(bytes, at, Buffer.from(random.pick(dictionary)))
        break
      case 8: // a number at an edge
        if (at + 4 <= bytes.length) bytes.writeUInt32BE(random.edge() % 2 ** 32, at)
    }
  }
  return bytes.subarray(0, longest)
}

function splice(bytes: Buffer, at: number, middle: Buffer): Buffer<ArrayBuffer> {
  return Buffer.concat([bytes.subarray(0, at), middle.subarray(0, longest), bytes.subarray(at)])
}

function tail(random: Random, bytes: Buffer): Buffer {
  return bytes.subarray(random.int(0, bytes.length))
}
