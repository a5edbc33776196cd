import type { Coverage } from './coverage.ts'
import { mutated } from './mutate.ts'
import { Random } from './random.ts'
import type { Target } from './target.ts'

/** An input that broke a promise, made as small as it could be quickly. */
export interface Finding {
  readonly input: Buffer
  readonly error: unknown
  /** The number of the input that showed it first. */
  readonly after: number
}

export interface SearchOptions {
  readonly seed: number
  /** Where to begin; all of it is tried first. */
  readonly corpus: readonly Buffer[]
  /** Whether to go on after so many inputs. */
  readonly goOn: (inputs: number) => boolean
  readonly coverage: Coverage
  /** False: inputs that reach something new are not looked for, which is quicker; mutations are of the corpus only. */
  readonly learning?: boolean
}

export interface Outcome {
  readonly inputs: number
  /** The inputs that reached what no input before them had reached. */
  readonly found: readonly Buffer[]
  readonly finding?: Finding
}

const batch = 32
/** Calls and blocks that parsing may take, and as many again for each byte: more means work that grows with its square. */
const fixedWork = 50_000
const workPerByte = 400
const mostShrinking = 400

/**
 * Try inputs, generated ones and mutations of those that reached something new, until one breaks a promise or `goOn` says no.
 * The order depends on the seed and the corpus alone.
 */
export async function search(
  target: Target,
  { seed, corpus, goOn, coverage, learning = true }: SearchOptions,
): Promise<Outcome> {
  const random = new Random(seed)
  const found: Buffer[] = []
  const pool: Buffer[] = [...corpus]
  let inputs = 0
  coverage.reset()
  for (const input of corpus) {
    const error = await attempt(target, input)
    if (error) return { inputs, found, finding: { input, error: error.thrown, after: ++inputs } }
    inputs++
  }
  coverage.learn()

  while (goOn(inputs)) {
    const tried = Array.from({ length: batch }, () => {
      const fresh = pool.length === 0 || random.once(2)
      return fresh ? target.generate(random) : mutated(random, random.pick(pool), pool, target.dictionary)
    })
    // Making an input may use the codec under test, too.
    coverage.reset()
    for (const input of tried) {
      inputs++
      const error = await attempt(target, input)
      if (error) return { inputs, found, finding: { ...(await shrunk(target, input, error.thrown)), after: inputs } }
    }
    const { isNew, work } = coverage.look(tried.length)
    const allowed = tried.reduce((sum, { length }) => sum + fixedWork + length * workPerByte, 0)
    if (work > allowed) {
      const error = new Error(`${work} steps for ${tried.length} inputs, where ${allowed} would have been many`)
      return {
        inputs,
        found,
        finding: { input: tried.toSorted((a, b) => b.length - a.length)[0]!, error, after: inputs },
      }
    }
    if (!isNew || !learning) continue
    for (const input of await newOnes(target, tried, coverage)) {
      found.push(input)
      pool.push(input)
    }
  }
  return { inputs, found }
}

/** The fewest and shortest of these inputs that reach, one after another, all that they reach together. */
export async function distilled(
  target: Target,
  inputs: readonly Buffer[],
  coverage: Coverage,
): Promise<readonly Buffer[]> {
  coverage.forget()
  return newOnes(
    target,
    inputs.toSorted((a, b) => a.length - b.length),
    coverage,
  )
}

/** A fault that nobody awaits counts like one that is thrown. */
const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => void unhandled.push(reason))

/** What the input broke, if it did. */
export async function attempt(target: Target, input: Buffer): Promise<{ readonly thrown: unknown } | undefined> {
  try {
    const pending = target.check(input)
    if (pending) await pending
  } catch (thrown) {
    return { thrown }
  }
  return unhandled.length > 0 ? { thrown: unhandled.splice(0)[0] } : undefined
}

/** Those of a batch that reach something new, seen by running them once more one by one. */
async function newOnes(target: Target, tried: readonly Buffer[], coverage: Coverage): Promise<readonly Buffer[]> {
  const found: Buffer[] = []
  for (const input of tried) {
    coverage.reset()
    await attempt(target, input)
    if (coverage.learn()) found.push(input)
  }
  return found
}

/** The input without whatever is not needed to break the same promise in the same words. */
async function shrunk(target: Target, input: Buffer, error: unknown): Promise<Pick<Finding, 'input' | 'error'>> {
  const wanted = kindOf(error)
  let smallest = input
  let left = mostShrinking
  for (let piece = Math.ceil(input.length / 2); piece >= 1 && left > 0; piece = Math.floor(piece / 2)) {
    for (let at = 0; at < smallest.length && left > 0; left--) {
      const without = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + piece)])
      const still = await attempt(target, without)
      if (still && kindOf(still.thrown) === wanted) smallest = without
      else at += piece
    }
  }
  return { input: smallest, error }
}

/** What kind of breakage this is: numbers and quoted texts differ from input to input. */
function kindOf(error: unknown): string {
  return error instanceof Error
    ? `${error.name}: ${error.message.replaceAll(/\d+|"[^"]*"|'[^']*'/g, '…').slice(0, 80)}`
    : typeof error
}
