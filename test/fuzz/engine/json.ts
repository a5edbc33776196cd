import type { Random } from './random.ts'

/** Any JSON text; at times nested as deep as the text is long. */
export function json(random: Random, member: readonly string[] = [], depth = 4): string {
  if (depth === 4 && random.once(12)) return nested(random, random.size(30_000))
  const inner = () => json(random, member, depth - 1)
  return random.pick<() => string>([
    () => random.pick(['null', 'true', 'false', '0', '-1', '1e999', '4503599627370497', '""', '[]', '{}', '-0.0']),
    () => JSON.stringify(random.text()),
    () => (depth > 0 ? `[${random.many(5, inner).join(',')}]` : '1'),
    () => (depth > 0 ? object(random, member, inner) : '{}'),
    () => (depth > 0 ? object(random, member, inner) : '{}'),
  ])()
}

function object(random: Random, member: readonly string[], inner: () => string): string {
  const name = () => (member.length > 0 && !random.once(4) ? random.pick(member) : random.text(20))
  return `{${random.many(8, () => `${JSON.stringify(name())}:${inner()}`).join(',')}}`
}

/** So many levels, all closed or not. */
function nested(random: Random, levels: number): string {
  const [open, close, inside] = random.pick([
    ['[', ']', ''],
    ['{"a":', '}', '1'],
  ] as const)
  return `${random.pick(['{"payload":', '{"registrationId":"dev","payload":', ''])}${open.repeat(levels)}${inside}${close.repeat(levels)}${random.pick(['}', ''])}`
}

/** A body with these members, each well-formed as a rule. */
export function filled(random: Random, shape: Readonly<Record<string, () => unknown>>): Buffer {
  const entries = Object.entries(shape).flatMap(([name, value]) => {
    if (random.once(8)) return []
    return [`${JSON.stringify(name)}:${random.once(8) ? json(random) : (JSON.stringify(value()) ?? 'null')}`]
  })
  return Buffer.from(`{${entries.join(',')}}`)
}
