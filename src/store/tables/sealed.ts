import { Secret } from '../../base/secret.ts'

/** A record as it is stored: its document says `[secret]` wherever it holds one, and what stood there has a column of its own. */
export interface Sealed {
  readonly document: string
  /** The secrets by where they stand, as JSON; null if the record holds none. */
  readonly secret: string | null
}

/**
 * Take every `Secret` out of a record, wherever it stands in it. Whoever writes a record does not say which of its members are
 * secret: their type does, so that a member of a kind that was added last is kept as safely as the others.
 */
export function seal(record: object): Sealed {
  const secrets = Object.fromEntries(secretsIn(record, ''))
  const secret = Object.keys(secrets).length === 0 ? null : JSON.stringify(secrets)
  return { document: JSON.stringify(record), secret }
}

/**
 * The record that was sealed, with its secrets in their places.
 *
 * @param columns where the secrets stand that 0.1.0 wrote without saying so: in base64, with blanks between them
 */
export function unseal<T extends object>(
  { document, secret }: Readonly<Record<string, unknown>>,
  columns: readonly string[],
): T {
  const record = JSON.parse(String(document)) as T
  if (typeof secret !== 'string') return record
  const named = secret.startsWith('{')
    ? Object.entries(JSON.parse(secret) as Record<string, string>)
    : secret.split(' ').map((base64, at): [string, string] => [columns[at] ?? '', base64])
  return named.reduce((rest, [pointer, base64]) => replaced(rest, tokensOf(pointer), secretOf(base64)) as T, record)
}

/** JSON pointers, so that members of any name have one. [RFC 6901] */
function* secretsIn(value: unknown, pointer: string): Generator<[pointer: string, base64: string]> {
  if (value instanceof Secret) yield [pointer, value.revealBase64()]
  else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) yield* secretsIn(inner, `${pointer}/${escaped(name)}`)
  }
}

/** The value with this in place of what stands there; what it does not hold, it does not get. */
function replaced(value: unknown, [name, ...rest]: readonly string[], secret: Secret): unknown {
  if (name === undefined) return secret
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return value
  const inner = replaced(Reflect.get(value, name), rest, secret)
  return Array.isArray(value) ? value.with(Number(name), inner) : { ...value, [name]: inner }
}

function tokensOf(pointer: string): readonly string[] {
  return pointer.split('/').slice(1).map(unescaped)
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

function unescaped(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~')
}

function secretOf(base64: string): Secret {
  return new Secret(Buffer.from(base64, 'base64'))
}
