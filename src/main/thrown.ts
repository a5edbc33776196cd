import { types } from 'node:util'

/** What the log says of an error: never its other members, where a library may keep what was sent. */
export interface Thrown {
  readonly type: string
  readonly message: string
  readonly code?: string
  /** As the runtime wrote it, with the place of every call. */
  readonly stack?: string
  readonly cause?: Thrown
  /** Of an AggregateError. */
  readonly errors?: readonly Thrown[]
}

/** Causes of causes, and errors of errors, that are followed. */
const deepest = 5
const mostErrors = 10
/** In characters. */
const longestText = 10_000

/** An error, and what caused it, as plain members; anything else that was thrown by its text. Never throws. */
export function thrownMembers(thrown: unknown, depth = 0): Thrown {
  if (!isError(thrown)) return { type: typeof thrown, message: textOf(thrown) }
  const { name, message, stack } = thrown
  const code = 'code' in thrown ? thrown.code : undefined
  const errors = 'errors' in thrown && Array.isArray(thrown.errors) ? (thrown.errors as readonly unknown[]) : []
  const deeper = depth < deepest
  return {
    type: cut(name),
    message: cut(message),
    ...(typeof code === 'string' && { code }),
    ...(typeof stack === 'string' && { stack: cut(stack) }),
    ...(deeper && thrown.cause !== undefined && { cause: thrownMembers(thrown.cause, depth + 1) }),
    ...(deeper &&
      errors.length > 0 && { errors: errors.slice(0, mostErrors).map((error) => thrownMembers(error, depth + 1)) }),
  }
}

/** True for errors, also for those of another context such as a policy module's. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value)
}

/** In one line: `TypeError: x is not a function`. Never throws. */
export function titleOf(thrown: unknown): string {
  const { type, message, errors = [] } = thrownMembers(thrown)
  // Node says nothing itself where it tried several addresses.
  const said = message || errors.map((error) => error.message).join('; ')
  return isError(thrown) ? `${type}${said && `: ${said}`}` : said
}

/** The stack in lines, then those of what caused it, each below the line that says so. */
export function stackLines({ type, message, stack, cause, errors = [] }: Thrown): readonly string[] {
  return [
    ...framesOf(stack, message),
    ...errors.flatMap((error) => ['of these:', ...below(error)]),
    ...(cause ? ['caused by:', ...below(cause)] : []),
  ].concat(stack === undefined && !cause && errors.length === 0 ? [`(${type} without a stack)`] : [])
}

function below(thrown: Thrown): readonly string[] {
  return [`${thrown.type}: ${thrown.message}`, ...stackLines(thrown)].map((line) => `  ${line}`)
}

/** Without the message, which may be many lines of somebody else's text. */
function framesOf(stack: string | undefined, message: string): readonly string[] {
  if (stack === undefined) return []
  const at = message === '' ? -1 : stack.indexOf(message)
  const rest = at < 0 ? stack : stack.slice(at + message.length)
  return rest.split('\n').flatMap((line) => (/^\s+at /.test(line) ? [line.trim()] : []))
}

function textOf(thrown: unknown): string {
  try {
    return cut(String(thrown))
  } catch {
    return 'something without a text'
  }
}

function cut(text: unknown): string {
  return String(text).slice(0, longestText)
}
