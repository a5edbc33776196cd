/** Chance that repeats: the same seed gives the same numbers on every machine. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 to 2^32 - 1. (Mulberry32) */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** A whole number from `least` to `most`, both included. */
  int(least: number, most: number): number {
    return least + (this.next() % (most - least + 1))
  }

  /** True once in so many times. */
  once(in_: number): boolean {
    return this.next() % in_ === 0
  }

  pick<T>(from: readonly T[]): T {
    return from[this.next() % from.length]!
  }

  /** Small as a rule, and now and then as large as it may be: a power of two, or one beside it. */
  size(most: number): number {
    const top = 2 ** this.int(0, Math.ceil(Math.log2(most + 1)))
    return Math.max(0, Math.min(most, this.once(3) ? top + this.int(-1, 1) : this.int(0, top)))
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.next() & 0xff))
  }

  /** Up to `most` of these. */
  many<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.size(most) }, make)
  }

  /** A number that is at, or beside, an edge of some width. */
  edge(): number {
    return this.pick([0, 1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 40])
  }

  /** Text that strangers like to send; at times long, at times out of one repeated character. */
  text(most = 64): string {
    if (this.once(4)) return this.pick(names)
    if (this.once(6)) return this.pick(fillers).repeat(this.size(most))
    return this.many(Math.min(most, 40), () => this.pick(letters)).join('')
  }
}

/** What finds its way into look-ups, paths and logs. */
export const names = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'prototype',
  'valueOf',
  '',
  '..',
  '%00',
  '%',
  '%zz',
  '\u0000',
  '\r\n',
  '\u001b[2J',
  '$rid',
  'null',
  'NaN',
  '1e999',
  '-0',
  '-1',
]
const fillers = ['a', '0', '/', '%', '=', '&', '\\', '"', '[', '(', '\u00ff', '\ud800', '\u{1f600}', ' ', '\n', '.']
const letters = [...'abcXYZ019-_.:/%&=?#$@ "\'\\{}[](),;<>|+*~\u00e9\u00ff\u2028\ud83d\t\n\0']
