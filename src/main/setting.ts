/** One setting: where it may stand, what it may be, and what it is when nobody says. */
export interface Setting<T> {
  readonly flag: string
  readonly environment: string
  /** For the documentation and for the sentence that refuses a bad value. */
  readonly expected: string
  readonly fallback: T
  readonly purpose: string
  /** The value that this text says; undefined if it says none. */
  readonly read: (text: string) => T | undefined
}

/** Any text. */
export function text(flag: string, environment: string, fallback: string, purpose: string): Setting<string> {
  return { flag, environment, fallback, purpose, expected: 'text', read: (given) => given }
}

/** Texts with commas between them. */
export function list(
  flag: string,
  environment: string,
  fallback: readonly string[],
  purpose: string,
): Setting<readonly string[]> {
  const read = (given: string) => {
    const values = given.split(',').map((value) => value.trim())
    return values.every((value) => value !== '') ? values : undefined
  }
  return { flag, environment, fallback, purpose, expected: 'names separated by commas', read }
}

/** Any of these words, with commas between them; none if nobody says. */
export function choices<T extends string>(
  flag: string,
  environment: string,
  all: readonly T[],
  purpose: string,
): Setting<readonly T[]> {
  const read = (given: string) => {
    const values = given.split(',').map((value) => all.find((one) => one === value.trim()))
    return values.every((value) => value !== undefined) ? values : undefined
  }
  const expected = `any of ${all.map((one) => `\`${one}\``).join(', ')}, separated by commas`
  return { flag, environment, fallback: [], purpose, expected, read }
}

/** A whole number between two, which may be it. */
export function number(
  flag: string,
  environment: string,
  fallback: number,
  least: number,
  most: number,
  purpose: string,
): Setting<number> {
  const read = (given: string) => {
    const value = Number(given)
    return /^\d+$/.test(given) && value >= least && value <= most ? value : undefined
  }
  return { flag, environment, fallback, purpose, expected: `a whole number from ${least} to ${most}`, read }
}

export function port(flag: string, environment: string, fallback: number, purpose: string): Setting<number> {
  return number(flag, environment, fallback, 0, 65_535, purpose)
}

/** One of these words; the first if nobody says. */
export function choice<T extends string>(
  flag: string,
  environment: string,
  [fallback, ...others]: readonly [T, ...T[]],
  purpose: string,
): Setting<T> {
  const all = [fallback, ...others]
  const read = (given: string) => all.find((one) => one === given)
  return { flag, environment, fallback, purpose, expected: all.map((one) => `\`${one}\``).join(' or '), read }
}
