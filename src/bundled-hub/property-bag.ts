/** Longest property bag that is read. */
const longest = 16_384

/** The properties of a topic: `k=v` joined with `&`, percent-encoded; null value = key only. [service-wire §13.2] */
export function parsePropertyBag(bag: string): Map<string, string | null> | undefined {
  if (bag.length > longest) return undefined
  const properties = new Map<string, string | null>()
  for (const field of bag.split('&')) {
    if (field === '') continue
    const at = field.indexOf('=')
    const name = decode(at < 0 ? field : field.slice(0, at))
    const value = at < 0 ? null : decode(field.slice(at + 1))
    if (name === undefined || value === undefined) return undefined
    properties.set(name, value)
  }
  return properties
}

/** Write properties in the form of a topic: blanks as `%20`, `$` as `%24`. */
export function propertyBag(properties: Iterable<readonly [string, string | null]>): string {
  return Array.from(properties, ([name, value]) =>
    value === null ? encodeURIComponent(name) : `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  ).join('&')
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
