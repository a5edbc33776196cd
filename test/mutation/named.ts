import { createHash } from 'node:crypto'
import { mutantsOf, type Mutant } from './mutants.ts'

/** A mutant, and what people and later runs know it by. */
export interface Named extends Mutant {
  readonly line: number
  /** The line in which it begins. */
  readonly code: string
  /** What was there, and what is there instead. */
  readonly fault: string
  /** Stays the same while its line does, wherever in the file that moves to. */
  readonly key: string
}

/** Every mutant of this source, each with a key of its own. */
export function namedMutantsOf(file: string, source: string): readonly Named[] {
  const seen = new Map<string, number>()
  return mutantsOf(file, source).map((mutant) => {
    const { start, end, replacement } = mutant
    const from = source.lastIndexOf('\n', start - 1) + 1
    const code = source.slice(from, (source + '\n').indexOf('\n', start)).trim()
    const fault = `\`${shown(source.slice(start, end))}\` -> \`${shown(replacement)}\``
    const name = [file, code, fault].join('\0')
    const nth = (seen.get(name) ?? 0) + 1
    seen.set(name, nth)
    return { ...mutant, line: source.slice(0, start).split('\n').length, code, fault, key: digest(`${name}\0${nth}`) }
  })
}

/**
 * As many of them as are wanted, drawn by the seed: a mutant stays in the sample when others come and go. In the order in which
 * they were drawn, so that a run that ends early has tried a sample, too.
 */
export function drawn(mutants: readonly Named[], count: number, seed: string): readonly Named[] {
  const lot = new Map(mutants.map((mutant) => [mutant, digest(`${seed}\0${mutant.key}`)]))
  return mutants.toSorted((a, b) => (lot.get(a)! < lot.get(b)! ? -1 : 1)).slice(0, count)
}

function shown(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 90)
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
